// This process's state as the rest of src/client needs it (client.cc keeps it). Any thread.
#pragma once

#include <functional>

#include "client/session.h"

namespace mortar::client {

// The calling thread's lanes get the mark, those that it will have later a mark that is open then. False:
// Mortar is not to do anything in this process.
bool MarkThread(Mark mark);

// `on_request` gets what sessions that are yet to be made will join with, `on_session` each session there is.
// False as above.
bool ForEachSession(const std::function<void(board::JoinRequest&)>& on_request,
                    const std::function<void(Session&)>& on_session);

}  // namespace mortar::client
