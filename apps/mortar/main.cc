#include "mortar/invocation.h"

int main(int argc, char** argv) { return mortar::cli::Main({argv + 1, argv + argc}); }
