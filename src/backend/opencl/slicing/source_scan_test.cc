#include "backend/opencl/slicing/source_scan.h"

#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"

namespace mortar::slicing {
namespace {

Safety Of(const std::string& source, std::string_view kernel = "k") {
  for (const KernelSafety& each : ScanSource(source)) {
    if (each.name_hash == base::HashBytes(kernel.data(), kernel.size())) return each.safety;
  }
  return Safety::kNever;
}

// A kernel around a statement.
std::string Kernel(const std::string& statement) {
  return "__kernel void k(__global float* a, int n) { " + statement + " }\n";
}

TEST(SourceScanTest, PlainKernelsAreSafe) {
  for (const std::string& source : {
           Kernel("a[get_global_id(0)] += 1.5e+3f;"),
           Kernel("for (int i = 0; i < n; ++i) a[get_global_id(0)] = fma(a[i], (float)i, sqrt(a[0]));"),
           Kernel("float4 v = (float4)(0.0f, 1.0f, 2.0f, 3.0f); vstore4(convert_float4_sat_rte(v), 0, a);"),
           Kernel("if (get_global_id(1) < get_work_dim()) return;"),
           std::string("kernel void k(global int *a) { a[get_global_id(0)] = max(a[0], 3); }"),
           std::string("#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
                       "typedef struct { int x; float y; } Pair;\n"
                       "constant float table[] = {1, 2, 3};\n"
                       "float scale(float x) { return x * table[1]; }\n"
                       "__kernel __attribute__((vec_type_hint(float4))) void k(__global Pair* p)\n"
                       "{ p[get_global_id(0)].y = scale(p->y); }"),
           std::string("#define REAL float\n#define SQ(x) ((x) * (x))\n#ifdef BIG\n#define N "
                       "64\n#else\n#define N 8\n#endif\n"
                       "__kernel void k(__global REAL* a) { a[get_global_id(0)] = SQ(a[N]); }"),
       }) {
    EXPECT_EQ(Of(source), Safety::kAlways) << source;
  }
}

TEST(SourceScanTest, TheGroupsOwnBusinessNeedsALocalSize) {
  for (const char* statement : {"a[get_global_id(0)] = get_local_id(0);", "barrier(CLK_LOCAL_MEM_FENCE);",
                                "__local float t[64]; t[0] = 1;", "a[0] = work_group_reduce_add(a[1]);",
                                "a[0] = sub_group_broadcast(a[1], 0);",
                                "event_t e = async_work_group_copy(a, a, 4, 0); wait_group_events(1, &e);",
                                "for (int i = 0; i < n; ++i) barrier(CLK_LOCAL_MEM_FENCE);"}) {
    EXPECT_EQ(Of(Kernel(statement)), Safety::kWithLocalSize) << statement;
  }
  EXPECT_EQ(
      Of("__kernel __attribute__((reqd_work_group_size(8, 8, 1))) void k(__global int* a) { a[0] = 1; }"),
      Safety::kWithLocalSize);
}

TEST(SourceScanTest, WhatAPieceWouldAnswerOtherwiseForbids) {
  for (const char* statement :
       {"a[0] = get_group_id(0);", "a[0] = get_num_groups(0);", "a[0] = get_global_size(1);",
        "a[0] = get_global_offset(0);", "a[0] = get_global_linear_id();",
        "a[0] = get_group_id /* (0) */ (0);", "a[0] = get_group_\\\nid(0);", "a[0] = get_group_\\  \nid(0);",
        "printf(\"x\");", "unknown(a);", "a[0] = __builtin_amdgcn_workgroup_id_x();", "asm(\"mov %ctaid\");",
        "enqueue_marker(q, 0, 0, 0);", "a[0] = (vendor_group)(0);", "work_group_reserve_read_pipe(p, 1);",
        "a[0] = s.get_group_id(0);"}) {
    EXPECT_EQ(Of(Kernel(statement)), Safety::kNever) << statement;
  }
}

TEST(SourceScanTest, WaitingForAnotherGroupForbids) {
  EXPECT_EQ(Of(Kernel("atomic_inc((volatile __global int*)a);")), Safety::kAlways);
  EXPECT_EQ(Of(Kernel("if (n > 3) atomic_add((__global int*)a, 1);")), Safety::kAlways);
  for (const char* statement :
       {"while (atomic_add((__global int*)a, 0) == 0) ;", "volatile __global float* v = a; while (*v == 0) ;",
        "do { mem_fence(CLK_LOCAL_MEM_FENCE); } while (a[0] == 0);",
        "again: if (atom_cmpxchg(a, 0, 1)) goto again;", "for (;;) barrier(CLK_GLOBAL_MEM_FENCE);"}) {
    EXPECT_EQ(Of(Kernel(statement)), Safety::kNever) << statement;
  }
  // The one in a function, the other in its caller.
  EXPECT_EQ(Of("int take(__global int* p) { return atomic_inc(p); }\n"
               "__kernel void k(__global int* a) { while (take(a) == 0) ; }"),
            Safety::kNever);
}

TEST(SourceScanTest, WhatIsReachedCountsAndNothingElse) {
  const std::string source =
      "size_t group() { return get_group_id(0); }\n"
      "size_t more() { return group(); }\n"
      "#define SIZE get_global_size(0)\n"
      "#define INDIRECT SIZE\n"
      "__kernel void by_function(__global int* a) { a[0] = more(); }\n"
      "__kernel void by_macro(__global int* a) { a[0] = INDIRECT; }\n"
      "__kernel void calls_kernel(__global int* a) { by_macro(a); }\n"
      "__kernel void mentions(__global int* a) { a[0] = 1 + sizeof(more()); }\n"
      "__kernel void free(__global int* a) { a[get_global_id(0)] = 1; /* get_group_id(0) */ }\n";
  for (const char* kernel : {"by_function", "by_macro", "calls_kernel", "mentions"}) {
    EXPECT_EQ(Of(source, kernel), Safety::kNever) << kernel;
  }
  EXPECT_EQ(Of(source, "free"), Safety::kAlways);
  EXPECT_EQ(Of(source, "no_such_kernel"), Safety::kNever);
}

TEST(SourceScanTest, EveryDefinitionOfANameCounts) {
  EXPECT_EQ(Of("#ifdef A\n#define ID get_group_id(0)\n#else\n#define ID get_global_id(0)\n#endif\n" +
               Kernel("a[ID] = 1;")),
            Safety::kNever);
  EXPECT_EQ(Of("#if 0\nint f() { return get_group_id(0); }\n#else\nint f() { return 1; }\n#endif\n" +
               Kernel("a[f()] = 1;")),
            Safety::kNever);
  EXPECT_EQ(Of(Kernel("a[0] = 1;\n#ifdef A\na[0] = get_group_id(0);\n#endif\n")), Safety::kNever);
  EXPECT_EQ(Of(Kernel("a[0] = 1;\n#if get_group_id\na[0] = 2;\n#endif\n")), Safety::kAlways);
}

TEST(SourceScanTest, OutsideOfFunctionsCountsForAll) {
  EXPECT_EQ(Of("__constant int g = get_group_id(0);\n" + Kernel("a[0] = 1;")), Safety::kNever);
  EXPECT_EQ(Of("#pragma redefine get_global_id get_group_id\n" + Kernel("a[0] = 1;")), Safety::kNever);
  EXPECT_EQ(Of("volatile __global int flag;\n" + Kernel("while (a[0]) ;")), Safety::kNever);
}

TEST(SourceScanTest, MacrosThatCallWhatTheyAreGiven) {
  EXPECT_EQ(Of("#define CALL(f) f(0)\n" + Kernel("a[0] = CALL(get_global_id);")), Safety::kNever);
  EXPECT_EQ(Of("#define ID vendor_id\n" + Kernel("a[ID(0)] = 1;")), Safety::kNever);
  EXPECT_EQ(Of("#define get_global_id(x) get_group_id(x)\n" + Kernel("a[get_global_id(0)] = 1;")),
            Safety::kNever);
  EXPECT_EQ(
      Of("#define MAKE(name) __kernel void name(__global int* a) { a[0] = get_group_id(0); }\nMAKE(k)\n"),
      Safety::kNever);
}

TEST(SourceScanTest, WhatIsNotClearForbidsAll) {
  const std::string good = Kernel("a[0] = 1;");
  ASSERT_EQ(Of(good), Safety::kAlways);
  for (const std::string& before : {std::string("#include \"x.h\"\n"),
                                    std::string("#define P(a, b) a ## b\n"),
                                    std::string("#define O {\n"),
                                    std::string("#define C ) \n"),
                                    std::string("/* \n"),
                                    std::string("\" \n"),
                                    std::string("?"
                                                "?=define X\n"),
                                    std::string("%:define X\n"),
                                    std::string("int x = $;\n"),
                                    std::string("int \xc3\xa9;\n"),
                                    std::string("#embed \"x\"\n"),
                                    std::string("}\n"),
                                    std::string("(\n"),
                                    std::string("#if 1\n"),
                                    std::string("#endif\n"),
                                    std::string("#else\n"),
                                    std::string("if (x) { }\n"),
                                    std::string("#define\n"),
                                    std::string("#define F(a\n"),
                                    std::string("x # y\n"),
                                    std::string("#ifdef A\nvoid f() {\n#else\nvoid g() {\n#endif\n}\n"),
                                    std::string("int \\u0061;\n"),
                                    std::string(1, '\0')}) {
    EXPECT_EQ(Of(before + good), Safety::kNever) << before;
  }
  EXPECT_EQ(Of(good + "/* no end"), Safety::kNever);
  EXPECT_EQ(Of(good + "{"), Safety::kNever);
  EXPECT_EQ(Of(std::string(3 << 20, ' ') + good), Safety::kNever);
}

TEST(SourceScanTest, CommentsStringsAndSplicesAreNoCode) {
  EXPECT_EQ(Of("// get_group_id \\\n get_num_groups \n" + Kernel("a[0] = '{' + '\\''; /* } */")),
            Safety::kAlways);
  EXPECT_EQ(Of("__constant char t[] = \"get_group_id(0) { \\\" \";\n" + Kernel("a[0] = t[0];")),
            Safety::kAlways);
  EXPECT_EQ(Of("/* */ # /* */ define ID get_global_id(0)\n" + Kernel("a[ID] = 1;")), Safety::kAlways);
  EXPECT_EQ(Of("#define ID 1 \\\n + get_group_id(0)\n" + Kernel("a[ID] = 1;")), Safety::kNever);
}

TEST(SourceScanTest, LongChainsEnd) {
  std::string source = "int f0(int x) { return x; }\n";
  for (int i = 1; i < 500; ++i) {
    source += "int f" + std::to_string(i) + "(int x) { return f" + std::to_string(i - 1) + "(x); }\n";
  }
  EXPECT_EQ(Of(source + Kernel("a[0] = f499(1);")), Safety::kAlways);
  EXPECT_EQ(Of("int g(int x) { return g(x); }\n" + Kernel("a[0] = g(1);")), Safety::kAlways);
}

TEST(SourceScanTest, Options) {
  for (const char* harmless :
       {"", "  ", "-cl-std=CL2.0 -cl-fast-relaxed-math", "-DN=16 -D WIDTH=4", "-DREAL=float -Werror -w -O2",
        "-DUSE_IT", "-I /some/where -I.", "-DROUND=rint"}) {
    EXPECT_TRUE(OptionsAreHarmless(harmless)) << harmless;
  }
  for (const char* harmful :
       {"-DID=get_group_id(0)", "-D ID=get_group_id(0)", "-Dget_global_id=get_group_id", "-DID=vendor_id",
        "-D'ID=1'", "-cl-std=CLC++", "-x spir", "-include more.h", "@options", "-DA=__builtin_x",
        "-DBAR=barrier", "-DW=while", "unknown", "-DX=a##b", "-DID=(vendor)(0)"}) {
    EXPECT_FALSE(OptionsAreHarmless(harmful)) << harmful;
  }
}

}  // namespace
}  // namespace mortar::slicing
