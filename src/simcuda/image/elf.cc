// Cubins: ELF with kernels as functions that bear a mark, each with a section .nv.info.NAME that tells its
// parameters. What the sections mean was found by looking at the output of NVIDIA's compilers (testdata).
#include <elf.h>

#include <algorithm>
#include <map>

#include "simcuda/image/bytes.h"
#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint16_t kCudaMachine = 190;  // EM_CUDA
constexpr unsigned char kEntryMark = 0x10;   // st_other of a kernel
constexpr std::size_t kMaxSections = 65536;  // chosen
constexpr std::uint64_t kMaxGlobalBytes = std::uint64_t{1} << 32;
constexpr std::string_view kText = ".text.";

// One record of .nv.info: format, what it is, and its bytes.
constexpr unsigned char kSized = 4;  // with bytes behind it
constexpr unsigned char kParameterInfo = 0x17;
constexpr unsigned char kLargeParameterInfo = 0x45;

struct Section {
  std::string_view name;
  Elf64_Shdr header{};
};

struct File {
  std::string_view bytes;
  std::vector<Section> sections;

  std::string_view DataOf(const Section& section) const {
    return section.header.sh_type == SHT_NOBITS
               ? std::string_view()
               : PartOf(bytes, section.header.sh_offset, section.header.sh_size);
  }
  const Section* Named(std::string_view name) const {
    const auto found = std::find_if(sections.begin(), sections.end(),
                                    [name](const Section& section) { return section.name == name; });
    return found != sections.end() ? &*found : nullptr;
  }
};

std::string_view TextAt(std::string_view strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset);
  const std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

Error Broken(const char* what) {
  return {Code::kInvalid, std::string("read cubin: ") + what + "; is the file cut off?"};
}

Result<File> ReadSections(std::string_view bytes) {
  Elf64_Ehdr header;
  if (!LooksLikeElf(bytes) || !ReadAt(bytes, 0, &header)) return Broken("no ELF header");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kCudaMachine)
    return Error{Code::kInvalid,
                 "read cubin: an ELF file, but not of a CUDA device; give what nvcc -cubin made"};
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kMaxSections)
    return Broken("bad section headers");
  File file{bytes, std::vector<Section>(header.e_shnum)};
  for (std::size_t i = 0; i < file.sections.size(); ++i) {
    if (!ReadAt(bytes, header.e_shoff + i * sizeof(Elf64_Shdr), &file.sections[i].header))
      return Broken("section headers beyond its end");
  }
  if (header.e_shstrndx >= file.sections.size()) return Broken("no section names");
  const std::string_view names = file.DataOf(file.sections[header.e_shstrndx]);
  for (Section& section : file.sections) section.name = TextAt(names, section.header.sh_name);
  return file;
}

// One parameter's record: index, ordinal and offset, and a word whose upper 14 bits are its size; in the
// larger form (parameters beyond 4 KiB) the word is the size.
bool ReadParameter(std::string_view record, bool large,
                   std::map<std::uint16_t, KernelParameter>* parameters) {
  std::uint16_t ordinal = 0;
  std::uint16_t offset = 0;
  std::uint32_t word = 0;
  if (!ReadAt(record, 4, &ordinal) || !ReadAt(record, 6, &offset)) return false;
  if (!ReadAt(record, 8, &word)) return false;
  const std::uint32_t bytes = large ? word : word >> 18;
  if (offset + std::uint64_t{bytes} > kMaxParameterBytes) return false;
  (*parameters)[ordinal] = {offset, bytes};
  return true;
}

bool ReadParameters(std::string_view info, KernelImage* kernel) {
  std::map<std::uint16_t, KernelParameter> parameters;
  for (std::size_t at = 0; at + 4 <= info.size();) {
    const auto format = static_cast<unsigned char>(info[at]);
    const auto what = static_cast<unsigned char>(info[at + 1]);
    std::uint16_t size = 0;
    ReadAt(info, at + 2, &size);
    at += 4;
    if (format != kSized) continue;
    const std::string_view record = PartOf(info, at, size);
    if (record.size() != size) return false;
    at += size;
    if (what != kParameterInfo && what != kLargeParameterInfo) continue;
    if (!ReadParameter(record, what == kLargeParameterInfo, &parameters)) return false;
  }
  for (const auto& [ordinal, parameter] : parameters) kernel->parameters.push_back(parameter);
  return true;
}

Result<KernelImage> ReadKernel(const File& file, std::string_view name, const Section& code) {
  KernelImage kernel;
  kernel.name = name;
  kernel.registers = std::clamp(code.header.sh_info >> 24, 1U, 255U);
  const std::string suffix(name);
  if (const Section* shared = file.Named(".nv.shared." + suffix))
    kernel.shared_bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(shared->header.sh_size, 1 << 20));
  const Section* info = file.Named(".nv.info." + suffix);
  if (info != nullptr && !ReadParameters(file.DataOf(*info), &kernel))
    return Broken("a kernel's parameters are damaged");
  return kernel;
}

bool HoldsGlobals(std::string_view section) {
  return section == ".nv.global" || section == ".nv.global.init" || section == ".nv.constant3";
}

void ReadGlobal(const File& file, const Elf64_Sym& symbol, std::string_view name, ModuleImage* image) {
  const Section& section = file.sections[symbol.st_shndx];
  if (!HoldsGlobals(section.name) || symbol.st_size == 0 || symbol.st_size > kMaxGlobalBytes) return;
  image->globals.push_back({std::string(name), symbol.st_size,
                            std::string(PartOf(file.DataOf(section), symbol.st_value, symbol.st_size))});
}

}  // namespace

bool LooksLikeElf(std::string_view bytes) {
  return bytes.substr(0, SELFMAG) == std::string_view(ELFMAG, SELFMAG);
}

std::size_t LengthOfElf(const void* image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr))
    return sizeof header;
  std::uint64_t end = std::max(header.e_shoff + std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr),
                               header.e_phoff + std::uint64_t{header.e_phnum} * header.e_phentsize);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, static_cast<const char*>(image) + header.e_shoff + i * sizeof section,
                sizeof section);
    if (section.sh_type != SHT_NOBITS) end = std::max(end, section.sh_offset + section.sh_size);
  }
  return end;
}

Result<ModuleImage> ReadElf(std::string_view bytes) {
  auto read = ReadSections(bytes);
  if (!read) return read.error();
  const File& file = *read;
  ModuleImage image;
  for (const Section& table : file.sections) {
    if (table.header.sh_type != SHT_SYMTAB || table.header.sh_link >= file.sections.size()) continue;
    const std::string_view symbols = file.DataOf(table);
    const std::string_view names = file.DataOf(file.sections[table.header.sh_link]);
    Elf64_Sym symbol;
    for (std::size_t at = 0; ReadAt(symbols, at, &symbol); at += sizeof symbol) {
      const std::string_view name = TextAt(names, symbol.st_name);
      if (name.empty() || symbol.st_shndx >= file.sections.size()) continue;
      const unsigned type = ELF64_ST_TYPE(symbol.st_info);
      if (type == STT_OBJECT) ReadGlobal(file, symbol, name, &image);
      const Section& code = file.sections[symbol.st_shndx];
      if (type != STT_FUNC || (symbol.st_other & kEntryMark) == 0 || !code.name.starts_with(kText)) continue;
      auto kernel = ReadKernel(file, name, code);
      if (!kernel) return kernel.error();
      image.kernels.push_back(std::move(*kernel));
    }
  }
  return image;
}

}  // namespace mortar::simcuda
