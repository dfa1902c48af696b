/* The packed registry, as the build made it. It holds no addresses, so it costs nothing to load:
   the kernel maps it, and a look-up touches the few pages it needs. */
    .section .rodata.twinport_registry, "a"
    .balign 8
    .globl twinport_registry_table
    .hidden twinport_registry_table
twinport_registry_table:
    .incbin TWINPORT_REGISTRY_TABLE
    .globl twinport_registry_table_end
    .hidden twinport_registry_table_end
twinport_registry_table_end:
    .section .note.GNU-stack, "", %progbits
