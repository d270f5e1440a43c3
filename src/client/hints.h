// What a program tells Mortar about itself (include/mortar/mortar.h): marks of requests and minibatches,
// priority and limits. Any thread, any time; cheap, but not for the submit path.
#pragma once

namespace mortar::client {

// `hint`: a mortar_hint_id. Answers MORTAR_OK, MORTAR_NOT_THERE (this process is not scheduled) or
// MORTAR_INVALID (unknown hint, value out of range). Backends export it as `mortar_hint`.
int TakeHint(unsigned hint, long long value) noexcept;

}  // namespace mortar::client
