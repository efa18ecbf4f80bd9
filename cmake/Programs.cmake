# Programs of our own beside the command: tests and fuzz targets.

# ptio_find_programs(<folder> <programs> <helpers>): each .c file with a main() is a program, the others help them
function(ptio_find_programs folder programs helpers)
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${folder}/*.c)
    set(with_main)
    foreach(source IN LISTS sources)
        file(STRINGS ${source} main REGEX "^int main\\(")
        if(main)
            list(APPEND with_main ${source})
        endif()
    endforeach()
    list(REMOVE_ITEM sources "" ${with_main})
    set(${programs} ${with_main} PARENT_SCOPE)
    set(${helpers} ${sources} PARENT_SCOPE)
endfunction()

# ptio_add_program(<target> <source> <library> <helpers>): one that may see the library's own headers
function(ptio_add_program target source library helpers)
    add_executable(${target} ${source} ${helpers})
    # Tests use POSIX as they like: folders, processes, clocks.
    set_target_properties(${target} PROPERTIES C_EXTENSIONS ON)
    if(PTIO_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_link_options(${target} PRIVATE -fno-lto)
    endif()
    target_link_libraries(${target} PRIVATE ${library} ptio_settings ptio_flags ${PTIO_DEPENDENCIES})
endfunction()
