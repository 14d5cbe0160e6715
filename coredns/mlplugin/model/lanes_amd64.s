#include "textflag.h"

// What a place in the window takes of a group's table: symbolCount rows of 64 bytes.
#define PLACE (121*64)

// Adds the row of the symbol at a place in the window to the sums in Y2 and Y3.
#define ADD(place) \
	MOVBLZX place(DI), AX                   \
	SHLL    $6, AX                          \
	VPADDW  (place*PLACE)(SI)(AX*1), Y2, Y2 \
	VPADDW  (place*PLACE+32)(SI)(AX*1), Y3, Y3

// func highestWide(rows *[8]uint64, symbols *uint8, windows int, highest *[8]uint64)
TEXT ·highestWide(SB), NOSPLIT, $0-32
	MOVQ  rows+0(FP), SI
	MOVQ  symbols+8(FP), DI
	MOVQ  windows+16(FP), CX
	MOVQ  highest+24(FP), DX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1

window:
	MOVBLZX (DI), AX
	SHLL    $6, AX
	VMOVDQU (SI)(AX*1), Y2
	VMOVDQU 32(SI)(AX*1), Y3
	ADD(1)
	ADD(2)
	ADD(3)
	ADD(4)
	ADD(5)
	ADD(6)
	VPMAXUW Y2, Y0, Y0
	VPMAXUW Y3, Y1, Y1
	INCQ    DI
	DECQ    CX
	JNZ     window

	// The top bits of the first place's rows are not part of the sums.
	VPCMPEQW   Y2, Y2, Y2
	VPSRLW     $1, Y2, Y2
	VPAND      Y2, Y0, Y0
	VPAND      Y2, Y1, Y1
	VMOVDQU    Y0, (DX)
	VMOVDQU    Y1, 32(DX)
	VZEROUPPER
	RET

// Adds an input's part to a block of sums: Y6 has its value, AX how far its weights are from those of
// the first input. A product is rounded before it is added.
#define BLOCK(weights, sums) \
	VMULPD (weights)(AX*1), Y6, Y7 \
	VADDPD Y7, sums, sums

// func sumWide(weights *[4]float64, all int, inputs *uint16, values *float64, count int, out *[24]float64)
TEXT ·sumWide(SB), NOSPLIT, $0-48
	MOVQ    weights+0(FP), R8
	MOVQ    all+8(FP), AX
	MOVQ    inputs+16(FP), DI
	MOVQ    values+24(FP), BX
	MOVQ    count+32(FP), CX
	MOVQ    out+40(FP), DX
	SHLQ    $5, AX
	LEAQ    (R8)(AX*1), R9
	LEAQ    (R8)(AX*2), R10
	LEAQ    (R9)(AX*2), R11
	LEAQ    (R8)(AX*4), R12
	LEAQ    (R9)(AX*4), R13
	VMOVUPD (DX), Y0
	VMOVUPD 32(DX), Y1
	VMOVUPD 64(DX), Y2
	VMOVUPD 96(DX), Y3
	VMOVUPD 128(DX), Y4
	VMOVUPD 160(DX), Y5

input:
	MOVWLZX      (DI), AX
	SHLQ         $5, AX
	VBROADCASTSD (BX), Y6
	BLOCK(R8, Y0)
	BLOCK(R9, Y1)
	BLOCK(R10, Y2)
	BLOCK(R11, Y3)
	BLOCK(R12, Y4)
	BLOCK(R13, Y5)
	ADDQ         $2, DI
	ADDQ         $8, BX
	DECQ         CX
	JNZ          input

	VMOVUPD Y0, (DX)
	VMOVUPD Y1, 32(DX)
	VMOVUPD Y2, 64(DX)
	VMOVUPD Y3, 96(DX)
	VMOVUPD Y4, 128(DX)
	VMOVUPD Y5, 160(DX)
	VZEROUPPER
	RET
