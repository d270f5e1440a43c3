/* Claiming the device for a fill: src/client/gate.cc (Admit, Claim, GiveUp, DrawBack) on `fill_until`.
 *
 * One word holds slot, sequence and time, and changes by compare-and-swap alone. A filler decides on what it read,
 * claims, reads the clock again and decides again; too late, it gives the claim up; later than claimed, it moves the
 * claim. Time passes at any point, so every filler may be preempted or stopped between any two steps; one may die with
 * its claim standing. The holder may die or stop without a word and counts as active for IDLE after its last sign.
 *
 * Claims:
 *   - what two fillers were admitted for never overlaps;
 *   - a fill is admitted only if, by the clock reading it is decided on, it ends before an active holder wants the device;
 *   - the dead and the stopped block nobody: every living filler is admitted in the end (LTL `admitted`, weak fairness).
 * Sequences are counted modulo 2 here (512 live), so that the reuse of a word is part of the search.
 *
 * Planted bugs, each of which must be found:
 *   BUG_STORE         claims by a plain store
 *   BUG_NO_RECHECK    does not decide again after claiming
 *   BUG_NO_MOVE       admitted later than claimed, lets the claim stand
 *   BUG_WAIT_FOR_END  in-flight work ends when its client says so, not by time
 *   BUG_DRAW_BACK     draws a claim back without looking whose it is
 */
#define FILLERS 2
#define ROUNDS(who) (2 - (who)) /* the first comes twice */
#define LENGTH 2
#define WANTED 4 /* the holder's next submit, predicted */
#define IDLE 2
#define MOST 6
#define NOBODY 3 /* the word before the first claim */

typedef Word { byte slot; bit sequence; byte until };
Word fill;

byte now = 0;
byte last_sign = 0;        /* the holder's */
byte began[FILLERS];       /* ghosts: the newest fill each was admitted for */
byte ends[FILLERS];
bool over[FILLERS];        /* its client says that it ran */
byte rounds[FILLERS];
bool dead[FILLERS];

#define active (now < last_sign + IDLE)
#define Later(a, b) ((a) > (b) -> (a) : (b))
#define Harms(start) (active && (start) + LENGTH > WANTED)
#define Mine (fill.slot == me && fill.sequence == 1 - seen.sequence && fill.until == end)

proctype Clock() {
  do :: now < MOST -> now++ :: else -> break od
}

/* Shows signs until it wants the device; dies or is stopped at any time, which is to take no further step. */
proctype Holder() {
  do
  :: atomic { now < WANTED && last_sign != now -> last_sign = now }
  :: break
  od
}

proctype Filler(byte me) {
  Word seen;
  byte start, end;
  do
  :: rounds[me] == ROUNDS(me) -> break
  :: me == 0 && rounds[me] == 1 -> dead[me] = true; break
  :: rounds[me] != ROUNDS(me) ->
     d_step { seen.slot = fill.slot; seen.sequence = fill.sequence; seen.until = fill.until }
#ifdef BUG_WAIT_FOR_END
     (seen.slot == NOBODY || seen.slot == me || over[seen.slot]);
#endif
     d_step { start = Later(now, seen.until); end = start + LENGTH }
     if
     :: Harms(start) -> goto again   /* sleeps, looks again */
     :: else
     fi;
#ifdef BUG_STORE
     d_step { fill.slot = me; fill.sequence = 1 - seen.sequence; fill.until = end }
#else
     atomic {
       if
       :: fill.slot == seen.slot && fill.sequence == seen.sequence && fill.until == seen.until ->
          fill.slot = me; fill.sequence = 1 - seen.sequence; fill.until = end
       :: else -> goto again         /* lost to another */
       fi
     }
#endif
     over[me] = false;
     if
     :: me == 0 -> dead[me] = true; break
     :: true
     fi;
     /* The clock is read again, and the decision is taken on that reading. */
     atomic {
#ifndef BUG_NO_RECHECK
       if
       :: Harms(Later(now, seen.until)) ->
          if
          :: Mine -> fill.slot = seen.slot; fill.sequence = seen.sequence; fill.until = seen.until
          :: else                    /* somebody claimed behind it: it expires */
          fi;
          goto again
       :: else
       fi;
#endif
#ifndef BUG_NO_MOVE
       if
       :: Later(now, seen.until) > start ->
          if
          :: Mine -> start = Later(now, seen.until); end = start + LENGTH; fill.until = end
          :: else -> goto again      /* somebody claimed behind it: decide anew */
          fi
       :: else
       fi;
#else
       start = Later(now, seen.until);
#endif
       assert(!Harms(start));
       began[me] = start; ends[me] = start + LENGTH;
       assert(rounds[1 - me] == 0 || ends[1 - me] <= began[me] || ends[me] <= began[1 - me]);
       rounds[me]++
     };
     /* A wait may tell that it ran sooner: the own claim is drawn back. */
     atomic {
       if
       :: now > start && now < end ->
#ifdef BUG_DRAW_BACK
          fill.until = now; ends[me] = now
#else
          if
          :: Mine -> fill.until = now; ends[me] = now
          :: else
          fi
#endif
       :: true
       fi
     };
     over[me] = true;
again:
     skip;
     d_step { seen.slot = 0; seen.sequence = 0; seen.until = 0; start = 0; end = 0 }
  od
}

init {
  fill.slot = NOBODY;
  atomic { run Clock(); run Holder(); run Filler(0); run Filler(1) }
}

ltl admitted { <> (rounds[1] == ROUNDS(1) && (rounds[0] == ROUNDS(0) || dead[0])) }
