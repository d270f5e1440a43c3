// Makers of the strategies, one file each. Only strategy.cc calls these; REQUIRES options.probes > 0.
#pragma once

#include <memory>

#include "plan/strategy.h"

namespace mortar::plan {

std::unique_ptr<Planner> MakeOracle(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeMax(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeRandom(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeGmd(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeAls(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeNn(const Space& space, Profiler& profiler, const StrategyOptions& options);
std::unique_ptr<Planner> MakeAuto(const Space& space, Profiler& profiler, const StrategyOptions& options);

}  // namespace mortar::plan
