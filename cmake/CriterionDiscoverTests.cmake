# criterion_discover_tests(TARGET [LABELS label...] [ENVIRONMENT NAME=VALUE...] [TIMEOUT seconds])
# Registers every Criterion test of TARGET with ctest, one entry a test, after each link of TARGET. A program without
# tests fails the build: Criterion 2.4.1 itself calls an empty run a success (a linker that drops unreferenced
# sections, or test objects inside a static library, empty it silently).
#
# Beyond the exit status an entry fails when
#   - LeakSanitizer reported something (Criterion counts the test as passed),
#   - an assertion failed in a fixture's .fini (the same),
#   - nothing was run under that name.
# cr_skip_test shows as skipped.
set(_criterion_discover_run ${CMAKE_CURRENT_LIST_DIR}/CriterionDiscoverRun.cmake)

function(criterion_discover_tests target)
  cmake_parse_arguments(C "" "TIMEOUT" "LABELS;ENVIRONMENT" ${ARGN})
  if(NOT C_LABELS)
    set(C_LABELS quick)
  endif()
  if(NOT C_TIMEOUT)
    set(C_TIMEOUT 120)
  endif()
  set(tests_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_discovered.cmake)
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake)
  add_custom_command(TARGET ${target} POST_BUILD
    BYPRODUCTS ${tests_file}
    COMMAND ${CMAKE_COMMAND}
      "-DTEST_PROGRAM=$<TARGET_FILE:${target}>" "-DTESTS_FILE=${tests_file}"
      "-DLABELS=${C_LABELS}" "-DENVIRONMENT=${C_ENVIRONMENT}" -DTIMEOUT=${C_TIMEOUT}
      -P ${_criterion_discover_run}
    VERBATIM)
  # A target that was never built shows up in ctest as a test that cannot be found, instead of as nothing.
  file(WRITE ${include_file}
"if(EXISTS \"${tests_file}\")
  include(\"${tests_file}\")
else()
  add_test(${target}_not_built ${target}_not_built)
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
endfunction()
