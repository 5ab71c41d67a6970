# Run at POST_BUILD by CriterionDiscoverTests.cmake: asks TEST_PROGRAM for its tests and writes TESTS_FILE for ctest.
# `--list` in the C locale prints "suite: 2 tests", then "|-- name" and "`-- name" lines, on stdout.
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ASAN_OPTIONS=detect_leaks=0 ${TEST_PROGRAM} --list
  OUTPUT_VARIABLE listing ERROR_VARIABLE errors RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${TEST_PROGRAM} --list ended with ${status}: ${errors}")
endif()

set(script "# Written by CriterionDiscoverRun.cmake\n")
set(suite "")
set(count 0)
string(REPLACE "\n" ";" lines "${listing}")
foreach(line IN LISTS lines)
  if(line MATCHES "^([A-Za-z_0-9]+): [0-9]+ tests?$")
    set(suite ${CMAKE_MATCH_1})
  elseif(line MATCHES "^[|`]-- ([A-Za-z_0-9]+)")
    set(name ${CMAKE_MATCH_1})
    math(EXPR count "${count} + 1")
    string(APPEND script
"add_test([[${suite}.${name}]] [[${TEST_PROGRAM}]] -j1 --verbose --filter [[${suite}/${name}]])
set_tests_properties([[${suite}.${name}]] PROPERTIES
  LABELS [[${LABELS}]] TIMEOUT ${TIMEOUT} ENVIRONMENT [[LC_ALL=C;${ENVIRONMENT}]]
  SKIP_REGULAR_EXPRESSION [[SKIP. ${suite}::${name}:]]
  FAIL_REGULAR_EXPRESSION [[Tested: 0 .*Crashing: 0;ERROR: LeakSanitizer;Assertion Failed]])
")
  endif()
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${TEST_PROGRAM} contains no test; Criterion would call that a success.\n${listing}")
endif()
file(WRITE ${TESTS_FILE} "${script}")
