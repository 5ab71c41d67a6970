# nf_layer(NAME [DEPENDS other layers...] [LIBRARIES third-party targets...])
# One layer of sim/: every *.c beside the calling CMakeLists.txt except *_test.c, *_fixture.c and *_main.c becomes the static library
# nf_NAME; *_test.c and *_fixture.c together become the Criterion program nf_NAME_test. Under ThreadSanitizer there are none:
# libcriterion 2.4.1 does not start there ("Could not initialize inheritable arena"), so what runs on threads is
# tested by plain programs and by the program itself (tools/CMakeLists.txt, label threads).
include(CriterionDiscoverTests)

function(nf_layer name)
  cmake_parse_arguments(L "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_(test|fixture)\\.c$")
  list(FILTER sources EXCLUDE REGEX "_(test|fixture|main)\\.c$")
  list(TRANSFORM L_DEPENDS PREPEND nf_)
  if(NOT sources)
    return()
  endif()
  add_library(nf_${name} STATIC ${sources})
  target_include_directories(nf_${name} PUBLIC ${CMAKE_SOURCE_DIR}/sim)
  target_link_libraries(nf_${name} PUBLIC ${L_DEPENDS} ${L_LIBRARIES} m PRIVATE nf_flags)
  if(NF_TESTS AND tests AND NOT NF_SANITIZE MATCHES "thread")
    add_executable(nf_${name}_test ${tests})
    target_link_libraries(nf_${name}_test PRIVATE nf_${name} nf_flags PkgConfig::CRITERION)
    target_compile_definitions(nf_${name}_test PRIVATE NF_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(nf_${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    criterion_discover_tests(nf_${name}_test)
  endif()
endfunction()
