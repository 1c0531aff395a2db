# The guest of the KVM probe (src/Godwit.Machines/ProbeGuest.cs). Assemble with:
#   as --64 -o probe.o probe-guest.S && ld -Ttext 0x7c00 --oformat binary -e _start -o probe.bin probe.o
.code16
.globl _start
_start:
  cli
  xor %ax,%ax
  mov %ax,%ds
  mov %ax,%es
  mov %ax,%ss
  mov $0x7c00,%sp
  # page tables: PML4 0x1000, PDPT 0x2000, PD 0x3000 (one 2 MiB page, identity)
  mov $0x1000,%edi
  xor %eax,%eax
  mov $0xc00,%ecx
  cld
  addr32 rep stosl
  movl $0x2003,0x1000
  movl $0x3003,0x2000
  movl $0x0083,0x3000
  mov $0x1000,%eax
  mov %eax,%cr3
  mov %cr4,%eax
  or $0x20,%eax
  mov %eax,%cr4
  mov $0xc0000080,%ecx
  rdmsr
  or $0x100,%eax
  wrmsr
  lgdtl gdtr
  mov %cr0,%eax
  or $0x80000001,%eax
  mov %eax,%cr0
  ljmp $8,$long
.code64
long:
  mov $0x0102030405060708,%rax
  mov $0x1111111111111111,%rbx
  add %rbx,%rax
  mov $0x1213141516171819,%rcx
  cmp %rcx,%rax
  jne bad
  mov $0x501,%dx
  mov $0x31,%al
  out %al,%dx
bad:
  hlt
  jmp bad
.balign 8
gdt: .quad 0, 0x00209a0000000000
gdtr: .word 15
 .long gdt
.org 510
.byte 0x55,0xaa
