#include "textflag.h"

// func prefetch(blocks *near)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVQ blocks+0(FP), AX
	LEAQ 48(AX), CX // its end

block:
	MOVQ        (AX), BX
	PREFETCHT0  (BX)
	PREFETCHT0  64(BX)
	PREFETCHT0  128(BX)
	PREFETCHT0  192(BX)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         block
	RET
