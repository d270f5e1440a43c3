/* That mortar.h compiles as C99 without a warning, and that every function in it does. */
#include <mortar/mortar.h>

int use_all(void);
int use_all(void) {
  return mortar_request_begin() + mortar_request_end() + mortar_minibatch_begin() + mortar_minibatch_end() +
         mortar_set_priority(5) + mortar_set_max_slowdown(0.02) + mortar_set_weight(1);
}
