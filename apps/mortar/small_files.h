// Files of a line or a number, as /proc and /sys have them.
#pragma once

#include <unistd.h>

#include <fstream>
#include <string>

namespace mortar::cli {

inline bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// The first line, without blanks at its end; empty where there is no such file.
inline std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  line.erase(line.find_last_not_of(" \t\r") + 1);
  return line;
}

}  // namespace mortar::cli
