#include "backend/opencl/slicing/builtins.h"

#include <algorithm>
#include <cctype>

namespace mortar::slicing {
namespace {

// A list of words, each surrounded by blanks.
bool IsIn(std::string_view words, std::string_view name) {
  if (name.empty()) return false;
  for (std::size_t at = words.find(name); at != std::string_view::npos; at = words.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if (words[at - 1] == ' ' && words[end] == ' ') return true;
  }
  return false;
}

// What changes, or means something else, where a range is cut. printf: the order of lines.
constexpr std::string_view kForbidden =
    " get_global_size get_num_groups get_group_id get_global_offset get_global_linear_id pipe printf "
    "enqueue_kernel enqueue_marker get_default_queue asm alias ifunc weakref typeof ";

constexpr std::string_view kOfTheGroup =
    " get_local_id get_local_size get_enqueued_local_size get_local_linear_id barrier local __local "
    "get_sub_group_size get_max_sub_group_size get_num_sub_groups get_enqueued_num_sub_groups "
    "get_sub_group_id "
    "get_sub_group_local_id async_work_group_copy async_work_group_strided_copy wait_group_events "
    "reqd_work_group_size work_group_size_hint intel_reqd_sub_group_size ";

constexpr std::string_view kOrderings =
    " volatile __volatile mem_fence read_mem_fence write_mem_fence CLK_GLOBAL_MEM_FENCE ";
constexpr std::string_view kLoops = " for while do goto ";

constexpr std::string_view kUnderscored =
    " __kernel __global __local __constant __private __generic __read_only __write_only __read_write "
    "__attribute__ "
    "__attribute __const __restrict __restrict__ __inline __inline__ __volatile __OPENCL_VERSION__ "
    "__OPENCL_C_VERSION__ __ENDIAN_LITTLE__ __IMAGE_SUPPORT__ __FAST_RELAXED_MATH__ __CL_VERSION_1_0__ "
    "__opencl_c_fp64 __VA_ARGS__ __FILE__ __LINE__ __func__ ";

constexpr std::string_view kKeywords =
    " if else for while do switch case return sizeof goto break continue default typedef struct union enum "
    "static "
    "extern inline const restrict unsigned signed void kernel global constant private generic read_only "
    "write_only "
    "read_write __attribute__ __attribute defined vec_step ";

constexpr std::string_view kAttributes =
    " reqd_work_group_size work_group_size_hint vec_type_hint aligned packed opencl_unroll_hint unroll "
    "endian "
    "always_inline noinline unused intel_reqd_sub_group_size ";

constexpr std::string_view kWorkItems = " get_work_dim get_global_id prefetch ";

constexpr std::string_view kMath =
    " acos acosh acospi asin asinh asinpi atan atan2 atanh atanpi atan2pi cbrt ceil copysign cos cosh cospi "
    "erfc erf "
    "exp exp2 exp10 expm1 fabs fdim floor fma fmax fmin fmod fract frexp hypot ilogb ldexp lgamma lgamma_r "
    "log log2 "
    "log10 log1p logb mad maxmag minmag modf nan nextafter pow pown powr remainder remquo rint rootn round "
    "rsqrt sin "
    "sincos sinh sinpi sqrt tan tanh tanpi tgamma trunc half_cos half_divide half_exp half_exp2 half_exp10 "
    "half_log "
    "half_log2 half_log10 half_powr half_recip half_rsqrt half_sin half_sqrt half_tan native_cos "
    "native_divide "
    "native_exp native_exp2 native_exp10 native_log native_log2 native_log10 native_powr native_recip "
    "native_rsqrt "
    "native_sin native_sqrt native_tan abs abs_diff add_sat hadd rhadd clamp clz ctz mad_hi mad_sat max min "
    "mul_hi "
    "rotate sub_sat upsample popcount mad24 mul24 degrees mix radians step smoothstep sign cross dot "
    "distance length "
    "normalize fast_distance fast_length fast_normalize isequal isnotequal isgreater isgreaterequal isless "
    "islessequal islessgreater isfinite isinf isnan isnormal isordered isunordered signbit any all bitselect "
    "select "
    "shuffle shuffle2 ";

constexpr std::string_view kMemory =
    " vload2 vload3 vload4 vload8 vload16 vstore2 vstore3 vstore4 vstore8 vstore16 vload_half vload_half2 "
    "vload_half3 "
    "vload_half4 vload_half8 vload_half16 vstore_half vstore_half2 vstore_half3 vstore_half4 vstore_half8 "
    "vstore_half16 vstore_half_rte vstore_half_rtz vloada_half vloada_half2 vloada_half3 vloada_half4 "
    "vloada_half8 "
    "vloada_half16 vstorea_half vstorea_half2 vstorea_half3 vstorea_half4 vstorea_half8 vstorea_half16 "
    "read_imagef "
    "read_imagei read_imageui read_imageh write_imagef write_imagei write_imageui write_imageh "
    "get_image_width "
    "get_image_height get_image_depth get_image_channel_data_type get_image_channel_order get_image_dim "
    "get_image_array_size to_global to_local to_private get_fence ";

constexpr std::string_view kScalars = " bool char uchar short ushort int uint long ulong float double half ";
constexpr std::string_view kOtherTypes =
    " void size_t ptrdiff_t intptr_t uintptr_t unsigned signed sampler_t event_t image1d_t image1d_buffer_t "
    "image1d_array_t image2d_t image2d_array_t image2d_depth_t image2d_array_depth_t image3d_t ";

constexpr std::string_view kWidths = " 2 3 4 8 16 ";

bool IsNumeric(std::string_view name) {
  const std::size_t letters = static_cast<std::size_t>(
      std::find_if(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }) -
      name.begin());
  if (!IsIn(kScalars, name.substr(0, letters))) return false;
  return letters == name.size() || IsIn(kWidths, name.substr(letters));
}

// convert_TYPE[_sat][_rounding], as_TYPE.
bool IsConversion(std::string_view name) {
  if (name.starts_with("as_")) return IsNumeric(name.substr(3));
  if (!name.starts_with("convert_")) return false;
  name.remove_prefix(8);
  return IsNumeric(name.substr(0, name.find('_')));
}

bool IsAtomic(std::string_view name) { return name.starts_with("atomic_") || name.starts_with("atom_"); }

bool IsCollective(std::string_view name) {
  return name.starts_with("work_group_") || name.starts_with("sub_group_") ||
         name.starts_with("intel_sub_group_");
}

// Pipes keep places for a work-group from one call to the next; kernels that kernels enqueue run after all of
// the kernel, or after all of a piece.
bool IsOfPipesOrQueues(std::string_view name) {
  for (const std::string_view begin :
       {"work_group_reserve", "work_group_commit", "sub_group_reserve", "sub_group_commit", "reserve_",
        "commit_", "read_pipe", "write_pipe", "enqueue_", "ndrange_", "get_kernel_", "clk_event_t"}) {
    if (name.starts_with(begin)) return true;
  }
  return false;
}

}  // namespace

Safety Judge(std::uint32_t traits) {
  if ((traits & kForbids) != 0) return Safety::kNever;
  // With both a work-group could wait for what another does, which may be in a later piece.
  if ((traits & kOrdering) != 0 && (traits & kLoop) != 0) return Safety::kNever;
  return (traits & kLocal) != 0 ? Safety::kWithLocalSize : Safety::kAlways;
}

std::uint32_t TraitsOf(std::string_view name) {
  if (name.empty() || IsIn(kForbidden, name) || IsOfPipesOrQueues(name)) return kForbids;
  std::uint32_t traits = kPlain;
  if (name.starts_with("__") && !IsIn(kUnderscored, name)) traits |= kForbids;
  if (IsIn(kOfTheGroup, name) || IsCollective(name)) traits |= kLocal;
  if (IsIn(kOrderings, name) || IsAtomic(name)) traits |= kOrdering;
  if (IsIn(kLoops, name)) traits |= kLoop;
  return traits;
}

bool IsKnownCall(std::string_view name) {
  if (name.empty()) return false;
  for (const std::string_view words :
       {kKeywords, kUnderscored, kAttributes, kWorkItems, kOrderings, kOfTheGroup, kMath, kMemory}) {
    if (IsIn(words, name)) return true;
  }
  return IsType(name) || IsConversion(name) || IsAtomic(name) || IsCollective(name);
}

bool IsConstant(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isupper(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
}

bool IsType(std::string_view name) { return !name.empty() && (IsNumeric(name) || IsIn(kOtherTypes, name)); }

}  // namespace mortar::slicing
