# The tests, found by where they lie:
#
#     tests/LAYER/*.c       each file with a main() is a test program; the others are helpers of the folder's programs.
#                           It links its layer and those below, so a layer is tested without the next
#     tests/NAME/*.c        the same with the whole library, where NAME is no layer
#     tests/support/*.c     helpers of all
#     tests/standin/*.c     a shared library each, in place of one that the machine has not. PTIO_STANDIN (a macro) is their folder
#     tests/NAME/run.py     run with --ptio COMMAND. Programs beside it are built for it, no tests themselves: it finds them in
#                           $PTIO_BUILD_DIR/bin, and runs them by the command $PTIO_RUN, where that is not empty
#     tests/oracle/save.py, elements.py, hostile.py, allowing.py, replay.py  the same
#     tests/oracle/dlpack.py, statedict.py, tensors.py, unsafe.py: run with --library LIBPTIO, which they load themselves
#     python/tests/test_*.py  of the Python module, by pytest in the oracle's Python
#     tests/checks/*.sh     of the sources and the built library: layers, symbols, header, format
#     fuzz/fuzz_NAME.c      a fuzz target, run over fuzz/corpus/NAME
#     examples/*.c          run over the checkpoint of the demo
#
# All run in the source folder. PTIO_TEST_DATA (a macro) is tests/data there. PTIO_TEST_SHARE (environment, 0 to 1) asks the
# long tests for a part of their work. `ctest -L pickle` runs one folder's tests.

include(Programs)
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)

set(PTIO_TEST_TIMEOUT 900 CACHE STRING "Seconds until a test counts as hanging")
set(PTIO_ORACLE_PYTHON "" CACHE FILEPATH "A Python with PyTorch, for the tests that compare with it")
option(PTIO_TEST_WHEEL "Test the package for Python, too, which compiles all again" OFF)
set(PTIO_TEST_WRAPPER "" CACHE STRING "Command that runs a program of this build, such as valgrind")

# Where a build's programs do not run as they are, `run` runs them: run COMMAND ARGUMENTS...
set(run ${CMAKE_CROSSCOMPILING_EMULATOR} ${PTIO_TEST_WRAPPER})

# ptio_add_test(<folder>.<title> <command>...)
function(ptio_add_test name)
    # What is not a unit test may take long: ctest begins with those that cost most.
    set(cost 10)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    list(JOIN run " " words)
    string(REGEX REPLACE "[.].*" "" label ${name})
    if(label IN_LIST PTIO_LAYERS)
        set(cost 1)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${PTIO_TEST_TIMEOUT} LABELS ${label} COST ${cost}
        ENVIRONMENT "PTIO_SOURCE_DIR=${PROJECT_SOURCE_DIR};PTIO_BUILD_DIR=${PROJECT_BINARY_DIR};PTIO_RUN=${words};CC=${CMAKE_C_COMPILER}")
endfunction()

# Libraries that stand in for others: each is found by its path when it is needed.
file(GLOB sources CONFIGURE_DEPENDS tests/standin/*.c)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    add_library(standin_${name} MODULE ${source})
    set_target_properties(standin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} C_EXTENSIONS ON C_VISIBILITY_PRESET hidden
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/standin)
    target_include_directories(standin_${name} PRIVATE tests)
    target_link_libraries(standin_${name} PRIVATE Threads::Threads)
endforeach()

# Programs of tests/.
file(GLOB support CONFIGURE_DEPENDS tests/support/*.c)
file(GLOB folders CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests tests/*)
list(REMOVE_ITEM folders support install data standin)
foreach(folder IN LISTS folders)
    ptio_find_programs(tests/${folder} programs helpers)
    if(folder IN_LIST PTIO_LAYERS)
        set(library layer_${folder})
    else()
        set(library ptio_static)
    endif()
    foreach(source IN LISTS programs)
        cmake_path(GET source STEM name)
        ptio_add_program(${name} ${source} ${library} "${helpers};${support}")
        target_link_libraries(${name} PRIVATE PkgConfig::cmocka)
        target_include_directories(${name} PRIVATE tests)
        target_compile_definitions(${name} PRIVATE PTIO_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                                                   PTIO_STANDIN="${PROJECT_BINARY_DIR}/standin")
        add_dependencies(${name} standin_cuda)
        string(REGEX REPLACE "^test_" "" title ${name})
        if(NOT EXISTS ${PROJECT_SOURCE_DIR}/tests/${folder}/run.py)
            ptio_add_test(${folder}.${title} ${run} $<TARGET_FILE:${name}>)
        endif()
    endforeach()
endforeach()

# Fuzz targets: with libFuzzer their own programs, otherwise linked with a main() that replays files.
file(GLOB sources CONFIGURE_DEPENDS fuzz/fuzz_*.c)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM target)
    string(REGEX REPLACE "^fuzz_" "" name ${target})
    if(PTIO_LIBFUZZER)
        ptio_add_program(${target} ${source} ptio_static "")
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        ptio_add_program(${target} ${source} ptio_static fuzz/replay_main.c)
        ptio_add_test(fuzz.${name} ${run} $<TARGET_FILE:${target}> fuzz/corpus/${name})
    endif()
endforeach()

# Runners in Python use the command, through a script where it does not run as it is.
if(NOT PTIO_LIBFUZZER)
    set(command $<TARGET_FILE:ptio_command>)
    if(run)
        set(command ${PROJECT_BINARY_DIR}/ptio-run)
        list(JOIN run " " words)
        file(GENERATE OUTPUT ${command} CONTENT "#!/bin/sh\nexec ${words} $<TARGET_FILE:ptio_command> \"$@\"\n"
             FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
    endif()
    find_package(Python3 COMPONENTS Interpreter)
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} tests/*/run.py tests/oracle/save.py
         tests/oracle/built.py tests/oracle/elements.py tests/oracle/hostile.py tests/oracle/allowing.py tests/oracle/replay.py)
    # The install test and the examples of the documents are about the build that a user makes on the same machine.
    if(run OR PTIO_SANITIZE)
        list(FILTER sources EXCLUDE REGEX "^tests/(install|docs)/")
    endif()
    # PyTorch's own byte order, and untyped bytes in it, are those of the machine that it runs on.
    if(CMAKE_C_BYTE_ORDER STREQUAL "BIG_ENDIAN" AND CMAKE_CROSSCOMPILING)
        list(FILTER sources EXCLUDE REGEX "^tests/oracle/(built|replay)\\.py$")
    endif()
    foreach(source IN LISTS sources)
        cmake_path(GET source PARENT_PATH folder)
        cmake_path(GET folder FILENAME folder)
        cmake_path(GET source STEM name)
        set(title ${folder})
        if(NOT name STREQUAL "run")
            set(title ${folder}.${name})
        endif()
        set(python ${Python3_EXECUTABLE})
        if(folder STREQUAL "oracle")
            set(python ${PTIO_ORACLE_PYTHON})
        endif()
        if(python)
            ptio_add_test(${title} ${python} ${source} --ptio ${command})
        endif()
    endforeach()
    # PyTorch's process loads the library, which has to be one of its own kind.
    if(PTIO_ORACLE_PYTHON AND NOT run AND NOT PTIO_SANITIZE)
        foreach(name dlpack statedict tensors unsafe)
            ptio_add_test(oracle.${name} ${PTIO_ORACLE_PYTHON} tests/oracle/${name}.py --library $<TARGET_FILE:ptio>)
        endforeach()
    endif()
endif()

# The Python module, where PyTorch's process can hold it.
if(TARGET ptio_python AND PTIO_ORACLE_PYTHON AND NOT run AND NOT PTIO_SANITIZE)
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} python/tests/test_*.py)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        string(REGEX REPLACE "^test_" "" title ${name})
        ptio_add_test(python.${title} ${PTIO_ORACLE_PYTHON} python/tests/run.py --package ${PROJECT_BINARY_DIR}/python
                      --ptio $<TARGET_FILE:ptio_command> ${source})
    endforeach()
    if(PTIO_TEST_WHEEL)
        ptio_add_test(python.wheel ${PTIO_ORACLE_PYTHON} python/tests/wheel.py --quick --folder ${PROJECT_BINARY_DIR}/wheel)
    endif()
endif()

# Checks of the sources and of the library. They do not depend on how it was compiled, so the plain build does them.
if(NOT CMAKE_CROSSCOMPILING AND NOT PTIO_SANITIZE AND NOT PTIO_TEST_WRAPPER)
    foreach(check layers header format)
        ptio_add_test(checks.${check} sh tests/checks/${check}.sh)
    endforeach()
    ptio_add_test(checks.symbols sh tests/checks/symbols.sh $<TARGET_FILE:ptio> $<TARGET_FILE:ptio_static>)
endif()

# The examples, each over the checkpoint of the demo; and the demo itself, which compares with PyTorch's accuracy.
if(TARGET example_predict)
    set(digits examples/digits/digits.pth)
    file(GLOB sources CONFIGURE_DEPENDS examples/*.c)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        set(file ${digits})
        if(name MATCHES "save|write|simplenet|streams")
            set(file ${PROJECT_BINARY_DIR}/example_${name}.pt)
        elseif(name STREQUAL "python2")
            set(file tests/data/corpus/1.0.0-py27/py2_byte_strings.pt)
        elseif(name STREQUAL "hooks")
            set(file tests/data/corpus/2.13.0/python_objects.pt)
        endif()
        ptio_add_test(examples.${name} ${run} $<TARGET_FILE:example_${name}> ${file})
    endforeach()
    ptio_add_test(examples.predict ${run} $<TARGET_FILE:example_predict> ${digits} examples/digits/images.pth)
    if(NOT run)
        ptio_add_test(examples.demo sh examples/digits/demo.sh $<TARGET_FILE:ptio_command> $<TARGET_FILE:example_predict>)
    endif()
endif()
