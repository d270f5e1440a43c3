#include "trace/arrivals.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/random.h"
#include "trace/arrivals_disb.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

bool ParseNumber(std::string_view text, double* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && std::isfinite(*value);
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\"";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view Column(std::string_view line, std::size_t column) {
  for (; column > 0; --column) {
    const auto comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    line.remove_prefix(comma + 1);
  }
  return Trim(line.substr(0, line.find(',')));
}

// Days from 1970-01-01 of a date of the Gregorian calendar (the usual era arithmetic, years from March).
std::int64_t DaysOf(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

// `YYYY-MM-DD HH:MM:SS[.fraction]`, 'T' for the blank allowed, a trailing Z or +00:00 ignored.
bool ParseDate(std::string_view text, double* seconds) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') ||
      text[13] != ':' || text[16] != ':') {
    return false;
  }
  std::array<int, 5> parts{};
  constexpr std::array<std::pair<std::size_t, std::size_t>, 5> kPlaces{
      {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}}};
  for (std::size_t i = 0; i < kPlaces.size(); ++i) {
    const std::string_view digits = text.substr(kPlaces[i].first, kPlaces[i].second);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), parts[i]);
    if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) return false;
  }
  std::string_view rest = text.substr(17);
  if (rest.ends_with('Z')) rest.remove_suffix(1);
  if (rest.ends_with("+00:00")) rest.remove_suffix(6);
  double second = 0;
  if (!ParseNumber(rest, &second) || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31)
    return false;
  *seconds = static_cast<double>(DaysOf(parts[0], parts[1], parts[2])) * 86400 + parts[3] * 3600.0 +
             parts[4] * 60.0 + second;
  return true;
}

bool ParseInstant(std::string_view text, double* seconds) {
  return ParseNumber(text, seconds) || ParseDate(text, seconds);
}

// The column of a header that holds the instants; the first where no name is known.
std::size_t InstantColumn(std::string_view header) {
  constexpr std::string_view kNames[] = {"timestamp", "time",          "arrival",
                                         "arrival_s", "end_timestamp", "invo_ts"};
  std::size_t column = 0;
  for (std::string_view rest = header;; ++column) {
    const auto comma = rest.find(',');
    std::string name(Trim(rest.substr(0, comma)));
    for (char& letter : name)
      letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
    if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return column;
    if (comma == std::string_view::npos) return 0;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

base::Result<double> ParseRate(std::string_view text) {
  const auto slash = text.find('/');
  double rate = 0;
  double per = 1;
  if (slash != std::string_view::npos) {
    const std::string_view unit = text.substr(slash + 1);
    if (unit == "s") {
      per = 1;
    } else if (unit == "min" || unit == "m") {
      per = 60;
    } else if (unit == "h") {
      per = 3600;
    } else {
      per = 0;
    }
  }
  if (per == 0 || !ParseNumber(text.substr(0, slash), &rate) || !(rate > 0) || rate > 1e9) {
    return Error{Code::kInvalid, "rate '" + std::string(text.substr(0, 60)) +
                                     "': a positive number a second, as 60/s or 3600/min"};
  }
  return rate / per;
}

base::Result<ArrivalSpec> ParseArrivals(std::string_view text) {
  ArrivalSpec spec;
  if (text == "back-to-back") return spec;
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (kind == "file" && !rest.empty()) {
    spec.kind = ArrivalKind::kFile;
    spec.path = std::string(rest);
    return spec;
  }
  if (kind == "periodic" || kind == "poisson") {
    spec.kind = kind == "periodic" ? ArrivalKind::kPeriodic : ArrivalKind::kPoisson;
    if (rest.ends_with('%')) {
      if (ParseNumber(rest.substr(0, rest.size() - 1), &spec.share) && spec.share > 0 && spec.share <= 1000) {
        spec.share /= 100;
        return spec;
      }
      return Error{Code::kInvalid,
                   "arrivals '" + std::string(text.substr(0, 60)) +
                       "': a part of the solo rate is between 0% and 1000%, as in poisson:50%"};
    }
    const auto rate = ParseRate(rest);
    if (!rate) return rate.error();
    spec.rate = *rate;
    return spec;
  }
  return Error{Code::kInvalid, "arrivals '" + std::string(text.substr(0, 60)) +
                                   "': one of back-to-back, periodic:20/s, poisson:20/s, poisson:50%, "
                                   "file:PATH"};
}

base::Result<ArrivalSpec> ResolveArrivals(ArrivalSpec spec, double solo_rate) {
  if (spec.share == 0) return spec;
  if (!(solo_rate > 0) || !std::isfinite(solo_rate)) {
    return Error{Code::kInvalid,
                 "arrivals at a part of the solo rate: that rate is not known; give one, as 20/s"};
  }
  spec.rate = spec.share * solo_rate;
  spec.share = 0;
  return spec;
}

base::Result<std::vector<double>> ParseArrivalFile(std::string_view text, const std::string& name) {
  std::vector<double> instants;
  std::size_t column = 0;
  bool first = true;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    double seconds = 0;
    if (ParseInstant(Column(raw, column), &seconds)) {
      instants.push_back(seconds);
    } else if (first) {
      column = InstantColumn(raw);
    } else {
      return Error{Code::kInvalid, name + ":" + std::to_string(number) + ": '" +
                                       std::string(Column(raw, column).substr(0, 60)) +
                                       "' is neither seconds nor a date and time"};
    }
    first = false;
  }
  if (instants.empty()) return Error{Code::kInvalid, name + ":1: no arrivals in the file"};
  std::sort(instants.begin(), instants.end());
  const double start = instants.front();
  for (double& instant : instants) instant -= start;
  return instants;
}

namespace {

base::Result<std::string> ReadText(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) return base::SystemError("open " + path, errno);
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
    text.append(buffer.data(), got);
    if (text.size() > (std::size_t{1} << 30))
      return Error{Code::kFull, "read " + path + ": over 1 GiB; cut it"};
    if (got < buffer.size()) break;
  }
  if (std::ferror(file.get()) != 0) return base::SystemError("read " + path, errno);
  return text;
}

// A recording, or the task of a mix, of the file that `path` names, possibly with #TASK behind it.
base::Result<DisbTask> ReadArrivals(const std::string& path) {
  std::string file = path;
  std::string task;
  if (const auto mark = path.rfind('#'); mark != std::string::npos && access(path.c_str(), F_OK) != 0) {
    file = path.substr(0, mark);
    task = path.substr(mark + 1);
  }
  const auto text = ReadText(file);
  if (!text) return text.error();
  if (IsDisb(*text)) {
    const auto tasks = ParseDisb(*text, file);
    if (!tasks) return tasks.error();
    return ChooseDisbTask(*tasks, task, file);
  }
  auto instants = ParseArrivalFile(*text, file);
  if (!instants) return instants.error();
  DisbTask whole;
  whole.spec.kind = ArrivalKind::kFile;
  whole.instants = std::move(instants).value();
  return whole;
}

}  // namespace

base::Result<std::vector<double>> ReadArrivalFile(const std::string& path) {
  auto read = ReadArrivals(path);
  if (!read) return read.error();
  if (read->spec.kind == ArrivalKind::kFile) return std::move(read->instants);
  return Error{Code::kInvalid, "read " + path + ": task '" + read->id + "' lists no instants"};
}

base::Result<std::vector<double>> MakeArrivals(const ArrivalSpec& spec, double seconds, std::uint64_t seed,
                                               std::size_t limit) {
  if (spec.share > 0) return ResolveArrivals(spec, 0).error();
  std::vector<double> instants;
  base::Random random(seed);
  switch (spec.kind) {
    case ArrivalKind::kBackToBack:
      return Error{Code::kInvalid,
                   "back-to-back arrivals follow the service, they have no instants of their own"};
    case ArrivalKind::kFile: {
      auto recorded = ReadArrivals(spec.path);
      if (!recorded) return recorded.error();
      if (recorded->spec.kind != ArrivalKind::kFile)
        return MakeArrivals(recorded->spec, seconds, seed, limit);
      instants = std::move(recorded->instants);
      while (!instants.empty() && (instants.back() >= seconds || instants.size() > limit))
        instants.pop_back();
      return instants;
    }
    case ArrivalKind::kPeriodic:
      for (std::size_t i = 0; i < limit; ++i) {
        const double instant = static_cast<double>(i) / spec.rate;
        if (instant >= seconds) break;
        instants.push_back(instant);
      }
      return instants;
    case ArrivalKind::kPoisson:
      for (double instant = 0; instants.size() < limit;) {
        instant -= std::log(1 - random.Uniform()) / spec.rate;
        if (instant >= seconds) break;
        instants.push_back(instant);
      }
      return instants;
  }
  return instants;
}

std::vector<double> RatesByWindow(const std::vector<double>& instants, double window_s) {
  std::vector<double> rates;
  if (instants.empty() || !(window_s > 0)) return rates;
  constexpr double kMostWindows = 1'000'000;
  rates.assign(static_cast<std::size_t>(std::min(instants.back() / window_s, kMostWindows - 1)) + 1, 0);
  for (const double instant : instants) {
    const double window = instant / window_s;
    if (window < static_cast<double>(rates.size())) rates[static_cast<std::size_t>(window)] += 1 / window_s;
  }
  return rates;
}

}  // namespace mortar::trace
