// `mortar top` on a terminal: draws samples, takes keys, leaves the terminal as it was. One thread; one at a
// time in a process.
#pragma once

#include "base/result.h"
#include "mortar/watch.h"

namespace mortar::cli {

// Watches until the user quits, the terminal goes away, or a signal asks for the end; after a signal the
// terminal is restored and the process dies of that signal. Errors: kUnsupported, the terminal's kind is not
// known.
base::Status WatchOnScreen(double interval_s);

}  // namespace mortar::cli
