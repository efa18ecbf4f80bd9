# Compiler flags, as two interface targets:
#
#     ptio_settings   what the code needs to compile: include folders, the language's feature macros
#     ptio_flags      what we ask of our own code: warnings, hardening, sanitizers. Users of the library never see it
#
# Each flag is probed, so that any compiler builds what it can.

include(CheckCCompilerFlag)
include(CheckLinkerFlag)

add_library(ptio_settings INTERFACE)
target_include_directories(ptio_settings INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(ptio_settings INTERFACE _FILE_OFFSET_BITS=64)

add_library(ptio_flags INTERFACE)

function(ptio_try_compile_flag flag)
    string(MAKE_C_IDENTIFIER "PTIO_HAVE${flag}" result)
    check_c_compiler_flag("-Wall -Werror ${flag}" ${result})
    if(${result})
        target_compile_options(ptio_flags INTERFACE ${flag})
    endif()
endfunction()

function(ptio_try_link_flag flag)
    string(MAKE_C_IDENTIFIER "PTIO_HAVE${flag}" result)
    check_linker_flag(C "${flag}" ${result})
    if(${result})
        target_link_options(ptio_flags INTERFACE ${flag})
    endif()
endfunction()

foreach(flag -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wimplicit-fallthrough
             -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types
             -Werror=int-conversion)
    ptio_try_compile_flag(${flag})
endforeach()
if(PTIO_WERROR)
    target_compile_options(ptio_flags INTERFACE -Werror)
    # Guesses, which each release of gcc makes otherwise: shown, but no error.
    ptio_try_compile_flag(-Wno-error=maybe-uninitialized)
    ptio_try_compile_flag(-Wno-error=format-truncation)
endif()

# Paths of the building machine stay out of the binaries.
ptio_try_compile_flag(-ffile-prefix-map=${PROJECT_BINARY_DIR}=build)
ptio_try_compile_flag(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

# A sanitizer finds less where a hardening flag has papered over the fault, so a build has one or the other.
if(PTIO_SANITIZE)
    add_compile_options(-fsanitize=${PTIO_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${PTIO_SANITIZE})
    # What sanitizers add to the code confuses gcc's guess.
    ptio_try_compile_flag(-Wno-maybe-uninitialized)
    if(PTIO_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
elseif(PTIO_HARDENING)
    # Not -ftrivial-auto-var-init=zero: it costs a tenth of the time of listing tensors. Valgrind looks for reads of what was not
    # written instead (./dev matrix).
    foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fno-delete-null-pointer-checks
                 -fno-strict-overflow -fno-strict-aliasing -fstrict-flex-arrays=3)
        ptio_try_compile_flag(${flag})
    endforeach()
    # It works on optimised code only, and warns where it cannot.
    target_compile_options(ptio_flags INTERFACE "$<$<NOT:$<CONFIG:Debug>>:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>")
    # Not -z nodlopen: programs in other languages reach the library by dlopen().
    foreach(flag -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
        ptio_try_link_flag(${flag})
    endforeach()
    include(CheckPIESupported)
    check_pie_supported()
endif()
ptio_try_link_flag(-Wl,--as-needed)

# Over all files at once a tenth faster. The objects hold ordinary code too, so that libptio.a serves every linker.
if(PTIO_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    add_compile_options(-ffat-lto-objects)
endif()

# gcc joins neighbouring stores of the pickle machine into vectors, for which it first moves the halves about: a twelfth slower.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set_source_files_properties(${PROJECT_SOURCE_DIR}/src/pickle/vm.c PROPERTIES COMPILE_OPTIONS -fno-tree-slp-vectorize)
endif()

if(PTIO_LIBFUZZER)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(PTIO_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
