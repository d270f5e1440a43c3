/* Slots: who joins, leaves, dies, is stopped, and who clears up. src/board/join.cc, src/board/slot_lock.h.
 *
 * A slot's lock is held by a mapping of its owner, and dropped by the kernel: at death at once, or, with a core dump,
 * much later. A joiner takes the join byte first, but waits for it only so long: who was stopped while holding it
 * blocks nobody.
 *
 * Claims:
 *   - a slot has one owner: whoever writes to it or thinks it his own holds its lock, and is alone with it;
 *   - nobody clears a slot whose owner lives;
 *   - who left and comes again has another generation, so no reference to the old one is current;
 *   - all that is held by the dead is free in the end, and whoever lives gets a slot (LTL `served`, weak fairness).
 *
 * Planted bugs, each of which must be found:
 *   BUG_CLEAR_UNLOCKED    clears what looks dead without taking its lock
 *   BUG_CLEAR_UNCHECKED   clears after taking the lock, without looking again
 *   BUG_SAME_GENERATION   does not move the generation when clearing
 *   BUG_WAIT_FOR_TURN     waits for the join byte for ever
 */
#define CLIENTS 3
#define SLOTS 2
#define NOBODY 9

#define kFree 0
#define kJoining 1
#define kActive 2

byte lock[SLOTS];          /* who holds the byte; NOBODY */
byte join_byte = NOBODY;
byte state[SLOTS];
byte generation[SLOTS];
bool bit_set[SLOTS];       /* of `active` */
byte owner[SLOTS];         /* ghost: who believes it to be his; NOBODY */
byte last_generation[SLOTS]; /* ghost: of the last owner */
bool served[CLIENTS];
bool dead[CLIENTS];

#define InUse(s) (state[s] != kFree || bit_set[s])

inline ClearSlot(s) {
  assert(owner[s] == NOBODY || dead[owner[s]]);
  owner[s] = NOBODY;
  bit_set[s] = false;
  state[s] = kFree;
#ifndef BUG_SAME_GENERATION
  generation[s] = (generation[s] | 1) + 1
#else
  generation[s] = generation[s] & 254
#endif
}

/* The kernel drops the locks of the dead, sooner or later. */
proctype Kernel() {
  byte s;
  do
  :: atomic { join_byte != NOBODY && dead[join_byte] -> join_byte = NOBODY }
  :: atomic { lock[0] != NOBODY && lock[0] < CLIENTS && dead[lock[0]] -> lock[0] = NOBODY }
  :: atomic { lock[1] != NOBODY && lock[1] < CLIENTS && dead[lock[1]] -> lock[1] = NOBODY }
  od
}

proctype Client(byte me; byte visits) {
  byte s, mine;
  do
  :: visits == 0 -> break
  :: else ->
     /* The join byte, or its time ran out. */
     if
     :: atomic { join_byte == NOBODY -> join_byte = me }
#ifndef BUG_WAIT_FOR_TURN
     :: join_byte != NOBODY
#endif
     fi;
     if
     :: me == 0 -> false;   /* stopped for ever, holding what it holds */
     :: true
     fi;
     s = 0;
     mine = NOBODY;
     do
     :: s == SLOTS -> break
     :: else ->
        if
        :: atomic { lock[s] == NOBODY -> lock[s] = me }; mine = s; break
        :: atomic { lock[s] != NOBODY -> s++ }
        fi
     od;
     if
     :: mine == NOBODY -> if :: join_byte == me -> join_byte = NOBODY :: else fi; goto turned_away
     :: else
     fi;
     if
     :: InUse(mine) -> ClearSlot(mine)
     :: else
     fi;
     state[mine] = kJoining;
     generation[mine] = (generation[mine] + 1) | 1;
     if
     :: me == 1 && visits == 1 -> dead[me] = true; break   /* killed half-way */
     :: true
     fi;
     assert(owner[mine] == NOBODY);
     assert(generation[mine] != last_generation[mine]);
     owner[mine] = me;
     last_generation[mine] = generation[mine];
     state[mine] = kActive;
     bit_set[mine] = true;
     if :: join_byte == me -> join_byte = NOBODY :: else fi;
     served[me] = true;
     assert(owner[mine] == me && lock[mine] == me);
     if
     :: me == 1 -> dead[me] = true; break                  /* killed while it runs */
     :: true
     fi;
     assert(owner[mine] == me && lock[mine] == me && state[mine] == kActive);
     /* Leave: clears, then drops the lock. */
     owner[mine] = NOBODY;
     ClearSlot(mine);
     lock[mine] = NOBODY;
     visits--;
turned_away:
     skip
  od
}

/* ClearStale, by anyone at any time; it holds the slot's lock for a moment (as SLOTS + CLIENTS: not a client). */
proctype Cleaner() {
  byte s;
  do
  :: s = 0;
     do
     :: s == SLOTS -> break
     :: else ->
        if
        :: InUse(s) ->
#ifdef BUG_CLEAR_UNLOCKED
           if
           :: lock[s] == NOBODY -> ClearSlot(s)
           :: else
           fi
#else
           if
           :: atomic { lock[s] == NOBODY -> lock[s] = CLIENTS };
#ifndef BUG_CLEAR_UNCHECKED
              if
              :: InUse(s) -> ClearSlot(s)
              :: else
              fi;
#else
              assert(InUse(s));
              ClearSlot(s);
#endif
              lock[s] = NOBODY
           :: lock[s] != NOBODY
           fi
#endif
        :: else
        fi;
        s++
     od
  od
}

init {
  atomic {
    lock[0] = NOBODY; lock[1] = NOBODY; owner[0] = NOBODY; owner[1] = NOBODY;
    run Kernel(); run Client(0, 1); run Client(1, 1); run Client(2, 2); run Cleaner()
  }
}

/* The third lives, whatever becomes of the first two. */
ltl served_all { <> served[2] }
