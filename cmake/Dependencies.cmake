# The libraries that ptio stands on (docs/architecture.md says what each is for), found by pkg-config.
#
#     PTIO_DEPENDENCIES          what the library links
#     PTIO_COMMAND_DEPENDENCIES  what the command links before it: nettle, and archives instead of shared libraries where they
#                                are wanted and there. The linker takes what comes first
#     PTIO_PC_REQUIRES           names for the pkg-config file

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Iconv REQUIRED)
find_package(PkgConfig REQUIRED)

set(PTIO_DEPENDENCIES Threads::Threads Iconv::Iconv ${CMAKE_DL_LIBS})
set(PTIO_COMMAND_DEPENDENCIES)
set(PTIO_PC_REQUIRES)

# ptio_find(<pkg-config name> <library name>)
macro(ptio_find module library)
    pkg_check_modules(${module} REQUIRED IMPORTED_TARGET ${module})
    target_include_directories(ptio_settings SYSTEM INTERFACE ${${module}_INCLUDE_DIRS})
    find_library(PTIO_${module}_ARCHIVE NAMES lib${library}.a HINTS ${${module}_LIBRARY_DIRS})
    mark_as_advanced(PTIO_${module}_ARCHIVE)
    if(PTIO_STATIC_DEPENDENCIES AND PTIO_${module}_ARCHIVE)
        list(APPEND PTIO_COMMAND_DEPENDENCIES ${PTIO_${module}_ARCHIVE})
    else()
        list(APPEND PTIO_COMMAND_DEPENDENCIES PkgConfig::${module})
    endif()
endmacro()

foreach(pair zlib=z libdeflate=deflate jansson=jansson libutf8proc=utf8proc)
    string(REPLACE "=" ";" pair ${pair})
    ptio_find(${pair})
    list(GET pair 0 module)
    list(APPEND PTIO_DEPENDENCIES PkgConfig::${module})
    list(APPEND PTIO_PC_REQUIRES ${module})
endforeach()
ptio_find(nettle nettle)
