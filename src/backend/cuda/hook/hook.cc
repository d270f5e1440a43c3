// A small preloaded library for programs that open the CUDA driver by its path, where LD_LIBRARY_PATH has no
// say: what they look up in it is answered by Mortar's libcuda.so.1, which then uses that same driver.
//
// Any thread. A look-up of any other name costs a comparison of two letters. The driver's own look-ups,
// those of libraries that come with it, and RTLD_NEXT are left alone. Not for programs that are linked with
// the driver's path.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstring>

#define MORTAR_HIDDEN __attribute__((visibility("hidden")))

extern "C" {
using DlsymFunction = void* (*)(void*, const char*);
using DlvsymFunction = void* (*)(void*, const char*, const char*);
// Filled by mortar_hook_answer before it returns for the first time; read by hook.S.
MORTAR_HIDDEN DlsymFunction mortar_hook_real_dlsym = nullptr;
MORTAR_HIDDEN DlvsymFunction mortar_hook_real_dlvsym = nullptr;
MORTAR_HIDDEN void* mortar_hook_answer(void* handle, const char* name, const char* version,
                                       const void* caller) noexcept;
}

namespace {

// The names that are answered: all that Mortar handles, in order.
constexpr const char* kNames[] = {
#define MORTAR_CUDA_LAZY(index)
#define MORTAR_CUDA_FORWARD(symbol, index)
#define MORTAR_CUDA_HANDLED(symbol) #symbol,
#include "cuda/generated/forwarders.def"
};

bool IsHandled(const char* name) {
  std::size_t low = 0;
  std::size_t high = sizeof kNames / sizeof *kNames;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = std::strcmp(name, kNames[middle]);
    if (order == 0) return true;
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return false;
}

const char* LastPart(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}
bool StartsWith(const char* text, const char* with) {
  return std::strncmp(text, with, std::strlen(with)) == 0;
}

// A symbol of the C library, found in its own tables: dlsym itself is hooked, by us and perhaps by others.
struct Wanted {
  const char* name;
  void* found;
};

template <typename T>
T* At(ElfW(Addr) base, ElfW(Addr) address) {
  // Some loaders have relocated these already.
  return reinterpret_cast<T*>(address < base ? base + address : address);
}

std::size_t SymbolCount(const std::uint32_t* hash, const std::uint32_t* gnu_hash) {
  if (hash != nullptr) return hash[1];
  if (gnu_hash == nullptr) return 0;
  const std::uint32_t buckets = gnu_hash[0];
  const std::uint32_t first = gnu_hash[1];
  const std::uint32_t* bucket = gnu_hash + 4 + std::size_t{gnu_hash[2]} * (sizeof(ElfW(Addr)) / 4);
  const std::uint32_t* chain = bucket + buckets;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < buckets; ++i) last = bucket[i] > last ? bucket[i] : last;
  if (last < first) return first;
  while ((chain[last - first] & 1) == 0) ++last;
  return std::size_t{last} + 1;
}

int LookInto(dl_phdr_info* info, std::size_t, void* data) {
  auto* wanted = static_cast<Wanted*>(data);
  const char* file = info->dlpi_name != nullptr ? LastPart(info->dlpi_name) : "";
  if (!StartsWith(file, "libc.so") && !StartsWith(file, "libdl.so")) return 0;
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
      dynamic = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  }
  const ElfW(Sym)* symbols = nullptr;
  const char* texts = nullptr;
  const std::uint32_t* hash = nullptr;
  const std::uint32_t* gnu_hash = nullptr;
  for (; dynamic != nullptr && dynamic->d_tag != DT_NULL; ++dynamic) {
    const ElfW(Addr) value = dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB) symbols = At<const ElfW(Sym)>(info->dlpi_addr, value);
    if (dynamic->d_tag == DT_STRTAB) texts = At<const char>(info->dlpi_addr, value);
    if (dynamic->d_tag == DT_HASH) hash = At<const std::uint32_t>(info->dlpi_addr, value);
    if (dynamic->d_tag == DT_GNU_HASH) gnu_hash = At<const std::uint32_t>(info->dlpi_addr, value);
  }
  if (symbols == nullptr || texts == nullptr) return 0;
  const std::size_t count = SymbolCount(hash, gnu_hash);
  for (std::size_t i = 0; i < count; ++i) {
    const ElfW(Sym)& symbol = symbols[i];
    if (symbol.st_shndx == SHN_UNDEF || (symbol.st_info & 0xf) != STT_FUNC) continue;
    if (std::strcmp(texts + symbol.st_name, wanted->name) != 0) continue;
    wanted->found = reinterpret_cast<void*>(info->dlpi_addr + symbol.st_value);
    return 1;
  }
  return 0;
}

void* FindInLibc(const char* name) {
  Wanted wanted{name, nullptr};
  dl_iterate_phdr(LookInto, &wanted);
  return wanted.found;
}

void* Nothing(void*, const char*) { return nullptr; }
void* NothingVersioned(void*, const char*, const char*) { return nullptr; }

void FindOriginals() {
  if (__atomic_load_n(&mortar_hook_real_dlvsym, __ATOMIC_ACQUIRE) != nullptr) return;
  auto* dlsym_found = reinterpret_cast<DlsymFunction>(FindInLibc("dlsym"));
  auto* dlvsym_found = reinterpret_cast<DlvsymFunction>(FindInLibc("dlvsym"));
  __atomic_store_n(&mortar_hook_real_dlsym, dlsym_found != nullptr ? dlsym_found : &Nothing,
                   __ATOMIC_RELEASE);
  __atomic_store_n(&mortar_hook_real_dlvsym, dlvsym_found != nullptr ? dlvsym_found : &NothingVersioned,
                   __ATOMIC_RELEASE);
}

const char* FileOf(const void* address) {
  Dl_info info{};
  return address != nullptr && dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

// The driver, what comes with it, and Mortar's own.
bool BelongsToDriver(const char* file) {
  const char* name = LastPart(file);
  return StartsWith(name, "libcuda.so") || StartsWith(name, "libnvidia-") || StartsWith(name, "libmortar-");
}

// Mortar's libcuda.so.1, in the folder cuda/ beside this library; null: not there.
void* Shim() {
  static void* shim = nullptr;
  if (void* known = __atomic_load_n(&shim, __ATOMIC_ACQUIRE)) return known;
  const char* own = FileOf(reinterpret_cast<const void*>(&mortar_hook_answer));
  const auto folder = static_cast<std::size_t>(LastPart(own) - own);
  constexpr char kFile[] = "cuda/libcuda.so.1";
  char path[4096];
  if (folder + sizeof kFile > sizeof path) return nullptr;
  std::memcpy(path, own, folder);
  std::memcpy(path + folder, kFile, sizeof kFile);
  void* opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) dlerror();  // the program's own next error is another one
  __atomic_store_n(&shim, opened, __ATOMIC_RELEASE);
  return opened;
}

}  // namespace

void* mortar_hook_answer(void* handle, const char* name, const char* version, const void* caller) noexcept {
  FindOriginals();
  if (name == nullptr || name[0] != 'c' || name[1] != 'u' || version != nullptr || handle == RTLD_NEXT)
    return nullptr;
  if (!IsHandled(name) || BelongsToDriver(FileOf(caller))) return nullptr;
  void* found = mortar_hook_real_dlsym(handle, name);
  if (found == nullptr) return nullptr;  // asked for again, so that dlerror tells it
  const char* file = FileOf(found);
  if (!StartsWith(LastPart(file), "libcuda.so"))
    return nullptr;  // a function of that name in another library
  void* shim = Shim();
  if (shim == nullptr) return nullptr;
  if (auto* use =
          reinterpret_cast<void (*)(const char*)>(mortar_hook_real_dlsym(shim, "mortar_cuda_use_driver"));
      use != nullptr && mortar_hook_real_dlsym(handle, "mortar_cuda_shim") == nullptr) {
    use(file);
  }
  return mortar_hook_real_dlsym(shim, name);
}
