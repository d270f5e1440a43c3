// Submitting, waiting, and letting what has ended take effect.
#include "simcuda/driver/host_calls.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {

CommandId SubmitWork(const SimStream& stream, Work work, std::function<void()> run) {
  World& world = *TheWorld();
  if (run) {
    work.keep = true;
    work.tag = reinterpret_cast<std::uint64_t>(new Effect{std::move(run)});
    world.awaited.fetch_add(1);
  }
  for (;;) {
    CommandId first;
    {
      SharedDevice::Session session(world.device);
      const CommandId id = session->Submit(stream.index, work);
      if (id.sequence != 0) {
        // The thread of host_calls.h may be asleep.
        if (work.keep) session.Wake();
        return id;
      }
      first = session->FirstOf(stream.index);
    }
    // Full: as a real launch, which blocks then. Notices taken give room as well.
    WaitDone(*stream.context, first);
  }
}

void Settle(SimContext& context) {
  const std::lock_guard lock(context.effects);
  if (context.index == kNone) return;  // destroyed
  for (;;) {
    Notice notice;
    {
      SharedDevice::Session session(TheWorld()->device);
      if (!session->PopNotice(context.index, &notice)) return;
    }
    TheWorld()->awaited.fetch_sub(1);
    const std::unique_ptr<Effect> effect(reinterpret_cast<Effect*>(notice.tag));
    if (notice.call) {
      CallLater(std::move(effect->run), notice.id);
    } else {
      effect->run();
    }
  }
}

void WaitDone(SimContext& context, CommandId id) {
  TheWorld()->device.WaitFor(
      id,
      [](void* argument) {
        Settle(*static_cast<SimContext*>(argument));
        return false;
      },
      &context);
  Settle(context);
}

bool IsDoneNow(SimContext& context, CommandId id) {
  bool done = false;
  {
    SharedDevice::Session session(TheWorld()->device);
    done = session->IsDone(id);
  }
  Settle(context);
  return done;
}

}  // namespace mortar::simcuda
