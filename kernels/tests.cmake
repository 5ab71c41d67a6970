# Tests of kernels/, all without a GPU unless labelled gpu.
#   quick  references, file format, the program's behaviour on this machine
#   long   the kernels on the emulator (built by the first of these tests), every target compiled, spills
if(NOT NF_SANITIZE MATCHES "thread")
  add_executable(nf_kernels_test kernels_test.c library.c nvml.c)
  target_link_libraries(nf_kernels_test PRIVATE nf_kernels_host nf_flags PkgConfig::CRITERION ${CMAKE_DL_LIBS})
  target_compile_definitions(nf_kernels_test PRIVATE NF_SAMPLES="${CMAKE_CURRENT_SOURCE_DIR}/samples")
  set_target_properties(nf_kernels_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  criterion_discover_tests(nf_kernels_test)
endif()

add_test(NAME kernels.program COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/test_program.sh $<TARGET_FILE:nearfar-kernels>)
set_tests_properties(kernels.program PROPERTIES LABELS "quick;source" SKIP_RETURN_CODE 77)
add_test(NAME kernels.check COMMAND nearfar-kernels check)
set_tests_properties(kernels.check PROPERTIES LABELS gpu SKIP_RETURN_CODE 3 TIMEOUT 600)

# Small: the C files alone.
add_test(NAME kernels.without_cuda
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/test_no_cuda.sh ${CMAKE_BINARY_DIR}/kernels/without_cuda)
set_tests_properties(kernels.without_cuda PROPERTIES LABELS "long;source" TIMEOUT 300)

include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER AND NOT NF_SANITIZE) # the emulator has its own: once is enough
  add_subdirectory(emulate)
endif()

if(have_cuda)
  add_test(NAME kernels.all_targets
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_targets.sh --nvcc ${CMAKE_CUDA_COMPILER} --check)
  set_tests_properties(kernels.all_targets PROPERTIES LABELS "long;source;kernels-all-targets" TIMEOUT 1800
    SKIP_RETURN_CODE 77)
endif()
