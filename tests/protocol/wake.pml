/* Sleeping on the board's `version`, and waking: src/board/board.cc, Bump and WaitForChange.
 *
 * A held thread reads `version`, then the settings, and goes to sleep only if `version` still is what it read.
 * Time-outs are left out on purpose: that nobody sleeps for ever must not depend on them.
 *
 * Claim: once a change is announced, nobody sleeps who has not seen it (LTL `woken`, weak fairness). Sleepers may die
 * at any point: their count then stays too high, which costs a wake-up and loses none.
 * Left out: that futexes may wake for no reason, which only helps.
 *
 * Planted bugs, each of which must be found:
 *   BUG_WAKE_FIRST    wakes, then moves `version`
 *   BUG_COUNT_LATE    a sleeper counts itself after the kernel compared
 *   BUG_VERSION_LATE  reads the settings first, `version` second
 *   BUG_NO_COMPARE    the kernel does not compare
 */
#ifndef SLEEPERS
#define SLEEPERS 2
#endif

byte version = 0;
byte sleepers = 0;
bool off = false;              /* the setting that lets all pass */
bool in_kernel[SLEEPERS];      /* on the futex's queue */
bool passed[SLEEPERS];
bool dead[SLEEPERS];
bool announced = false;

inline Wake() {
  if
  :: sleepers != 0 -> d_step { byte w = 0; do :: w < SLEEPERS -> in_kernel[w] = false; w++ :: else -> break od }
  :: else
  fi
}

proctype Sleeper(byte me) {
  byte seen;
  bool go;
  do
  ::
#ifdef BUG_VERSION_LATE
     go = off;
     seen = version;
#else
     seen = version;
     go = off;
#endif
     if
     :: go -> passed[me] = true; break
     :: else
     fi;
#ifndef BUG_COUNT_LATE
     sleepers++;
#endif
     /* FUTEX_WAIT: compare and queue are one step of the kernel's. */
#ifdef BUG_NO_COMPARE
     in_kernel[me] = true;
#else
     atomic { if :: version == seen -> in_kernel[me] = true :: else fi }
#endif
#ifdef BUG_COUNT_LATE
     sleepers++;
#endif
     !in_kernel[me];
     sleepers--
  :: me == 0 -> dead[me] = true; break    /* killed between two calls */
  :: me == 0 -> sleepers++; dead[me] = true; break /* killed asleep: its count stays */
  od
}

proctype Changer() {
  version++;                   /* somebody joins: nothing that lets anyone pass */
  Wake();
  off = true;
#ifdef BUG_WAKE_FIRST
  Wake();
  version++;
#else
  version++;
  Wake();
#endif
  announced = true
}

init {
  atomic { byte i = 0; do :: i < SLEEPERS -> run Sleeper(i); i++ :: else -> break od; run Changer() }
}

#define settled (passed[1] && (passed[0] || dead[0]))
ltl woken { <> settled }
