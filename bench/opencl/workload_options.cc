#include <charconv>
#include <string_view>

#include "bench/common/program.h"
#include "bench/opencl/workload.h"

namespace mortar::workload {
namespace {

using bench::ToInt;
using bench::ToNumber;

constexpr char kHelp[] =
    R"(Usage: workload [options]      an OpenCL program with a known pattern of kernels; prints one JSON line

  --role holder|filler        holder: requests of kernels and gaps; filler: kernels without end     (holder)
  --mode blocking|async       holder: wait after each kernel, or once a request                     (blocking)
  --kernels N --kernel-us N --gap-us N        a request of the holder                               (20 185 500)
  --think back-to-back | periodic:MS | bursts[:REQUESTS,APART_MS,AWAY_MS]                           (back-to-back)
  --filler-us N --depth N     the filler's kernels, and how many it enqueues ahead                  (144 4)
  --filler-items N            work-items of a filler's kernel, a multiple of 64                     (64)
  --requests N --seconds S    when to end; SIGTERM also ends it                                     (no end)
  --warm-up N                 kernels before measuring                                              (20)
  --ready-file FILE           made when measuring begins
  --pulse-file FILE           three words of eight bytes, shared: when the program launched last, the longest time
                              between two launches, and when that ended (CLOCK_MONOTONIC, ns; the second is set
                              back by whoever reads); of requests and progress only the number is kept then
  --write-table FILE [--jitter PERCENT] [--seed N]    write the duration table of both roles, and end

Example: workload --write-table t.txt && MORTAR_EMULATED=t.txt OPENCL_LAYERS=libmortar-emulated.so \
           workload --requests 100
)";

bool ToMicroseconds(std::string_view milliseconds, int* out) {
  double number = 0;
  if (!ToNumber(milliseconds, &number) || number > 1e6) return false;
  *out = static_cast<int>(number * 1000);
  return true;
}

bool ToBursts(std::string_view text, Options* options) {
  const std::size_t first = text.find(',');
  const std::size_t second = first == std::string_view::npos ? first : text.find(',', first + 1);
  return second != std::string_view::npos && ToInt(text.substr(0, first), &options->burst_requests) &&
         options->burst_requests > 0 &&
         ToMicroseconds(text.substr(first + 1, second - first - 1), &options->burst_apart_us) &&
         ToMicroseconds(text.substr(second + 1), &options->burst_away_us);
}

bool ToThink(std::string_view text, Options* options) {
  if (text == "back-to-back") {
    options->think = Think::kBackToBack;
    return true;
  }
  if (text.substr(0, 9) == "periodic:") {
    options->think = Think::kPeriodic;
    return ToMicroseconds(text.substr(9), &options->period_us);
  }
  options->think = Think::kBursts;
  return text == "bursts" || (text.substr(0, 7) == "bursts:" && ToBursts(text.substr(7), options));
}

bool ReadOption(std::string_view name, std::string_view value, Options* options) {
  if (name == "--role" && (value == "holder" || value == "filler")) {
    options->role = value == "holder" ? Role::kHolder : Role::kFiller;
  } else if (name == "--mode" && (value == "blocking" || value == "async")) {
    options->mode = value == "blocking" ? Mode::kBlocking : Mode::kAsync;
  } else if (name == "--think") {
    return ToThink(value, options);
  } else if (name == "--seconds") {
    return ToNumber(value, &options->seconds);
  } else if (name == "--write-table") {
    options->write_table = value;
  } else if (name == "--ready-file") {
    options->ready_file = value;
  } else if (name == "--pulse-file") {
    options->pulse_file = value;
  } else if (name == "--seed") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options->seed);
    return error == std::errc() && end == value.data() + value.size();
  } else {
    return bench::ReadInt(name, value,
                          {{"--kernels", &options->kernels},
                           {"--kernel-us", &options->kernel_us},
                           {"--gap-us", &options->gap_us},
                           {"--filler-us", &options->filler_us},
                           {"--filler-items", &options->filler_items},
                           {"--depth", &options->depth},
                           {"--requests", &options->requests},
                           {"--warm-up", &options->warm_up},
                           {"--jitter", &options->jitter_percent}});
  }
  return true;
}

}  // namespace

std::string HelpText() { return kHelp; }

base::Result<Options> ParseOptions(int count, char** words) {
  auto options = bench::ParseWords<Options>(count, words, ReadOption);
  if (!options) return options;
  if (options->kernels < 1 || options->depth < 1)
    return base::Error{base::Code::kInvalid, "--kernels and --depth begin at 1"};
  if (options->filler_items < 64 || options->filler_items % 64 != 0)
    return base::Error{base::Code::kInvalid, "--filler-items takes multiples of 64"};
  return options;
}

std::string KernelName(const Options& options) {
  return options.role == Role::kHolder ? "hold_" + std::to_string(options.kernel_us) + "us"
                                       : "fill_" + std::to_string(options.filler_us) + "us";
}

std::string TableText(const Options& options) {
  Options holder = options;
  Options filler = options;
  holder.role = Role::kHolder;
  filler.role = Role::kFiller;
  std::string text = "# Written by workload --write-table.\n";
  text += "seed " + std::to_string(options.seed) + "\n";
  text += "launch_latency_us 5\ncopy 12 8\n";
  text += "jitter_percent " + std::to_string(options.jitter_percent) + "\n";
  text += "kernel " + KernelName(holder) + " " + std::to_string(options.kernel_us) + "\n";
  // By work-item, so that a part of a kernel takes a part of its time.
  text += "kernel " + KernelName(filler) + " 0 " +
          std::to_string(options.filler_us * 1000.0 / options.filler_items) + "\n";
  return text + "default 50\n";
}

}  // namespace mortar::workload
