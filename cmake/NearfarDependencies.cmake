# Libraries of others, found once. tools/README.md tells the traps behind each line.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(GSL REQUIRED)
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 REQUIRED COMPONENTS C)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
if(NF_TESTS)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
endif()

# Flags every target of ours gets.
add_library(nf_flags INTERFACE)
target_compile_definitions(nf_flags INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(nf_flags INTERFACE
  -ffp-contract=off -fno-common -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2
  -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wwrite-strings -Wdouble-promotion)
if(NF_WERROR)
  target_compile_options(nf_flags INTERFACE -Werror)
endif()
if(NF_SANITIZE)
  target_compile_options(nf_flags INTERFACE
    -fsanitize=${NF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(nf_flags INTERFACE -fsanitize=${NF_SANITIZE})
endif()

# The Python of the tests that read results with h5py and of the documentation check. Debian's own comes first: its
# packages (python3-h5py) are invisible to another python3 that stands earlier on the PATH.
find_program(NF_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NF_PYTHON python3)
