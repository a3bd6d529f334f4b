;; Lines to records, the way that plain lines take: a search for line feeds sixteen bytes at a time, and a copy sixteen bytes at
;; a time. `npm run kernel` makes frame-lines-kernel.ts of this. Record: Kafka protocol guide, "Record"; docs/decisions/0019.
(module
  ;; The source and, behind it, the records. Loads and stores of sixteen bytes may reach fifteen bytes beyond what they are for.
  (import "scratch" "memory" (memory 1))

  ;; How many bytes the varint of a value from 0 takes: seven bits of value << 1 to a byte.
  (func $sizeOfVarint (param $value i32) (result i32)
    (if (i32.lt_u (local.get $value) (i32.const 0x40)) (then (return (i32.const 1))))
    (if (i32.lt_u (local.get $value) (i32.const 0x2000)) (then (return (i32.const 2))))
    (if (i32.lt_u (local.get $value) (i32.const 0x100000)) (then (return (i32.const 3))))
    (if (i32.lt_u (local.get $value) (i32.const 0x8000000)) (then (return (i32.const 4))))
    (i32.const 5))

  ;; Writes a value from 0 in zigzag and returns where it ends.
  (func $writeVarint (param $at i32) (param $value i32) (result i32)
    (local.set $value (i32.shl (local.get $value) (i32.const 1)))
    (loop $more
      (if (i32.ge_u (local.get $value) (i32.const 0x80))
        (then
          (i32.store8 (local.get $at) (i32.or (local.get $value) (i32.const 0x80)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $value (i32.shr_u (local.get $value) (i32.const 7)))
          (br $more))))
    (i32.store8 (local.get $at) (local.get $value))
    (i32.add (local.get $at) (i32.const 1)))

  ;; Where the first line feed of [at, end) is; end when there is none.
  (func $lineEnd (param $at i32) (param $end i32) (result i32)
    (local $found i32)
    (loop $next
      (local.set $found
        (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (i8x16.splat (i32.const 0x0a)))))
      (if (local.get $found)
        (then
          (local.set $at (i32.add (local.get $at) (i32.ctz (local.get $found))))
          (return (select (local.get $at) (local.get $end) (i32.lt_u (local.get $at) (local.get $end))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $end))

  ;; Appends a record for each line of [start, end) at `out`, the first with offset delta `delta`. Ends in front of a line of more than
  ;; `maxBytes`, and of one whose record might reach beyond `limit`. Returns where that line begins (or something from `end` on), where the
  ;; next record goes, and its offset delta.
  (func (export "frameLines")
    (param $start i32) (param $end i32) (param $out i32) (param $limit i32) (param $delta i32) (param $maxBytes i32)
    (result i32 i32 i32)
    (local $lineEnd i32) (local $valueBytes i32) (local $valueEnd i32)
    (block $done
      (loop $line
        (br_if $done (i32.ge_u (local.get $start) (local.get $end)))
        (local.set $lineEnd (call $lineEnd (local.get $start) (local.get $end)))
        (local.set $valueBytes (i32.sub (local.get $lineEnd) (local.get $start)))
        (br_if $done (i32.gt_u (local.get $valueBytes) (local.get $maxBytes)))
        ;; Around the value are at most 19 bytes, and a store may reach 15 bytes beyond it.
        (br_if $done
          (i32.lt_u
            (i32.sub (local.get $limit) (local.get $out))
            (i32.add (local.get $valueBytes) (i32.const 34))))

        ;; Length; attributes and timestamp delta, 0; offset delta; length of the key, -1; length of the value.
        (local.set $out
          (call $writeVarint
            (local.get $out)
            (i32.add
              (i32.add (local.get $valueBytes) (call $sizeOfVarint (local.get $valueBytes)))
              (i32.add (call $sizeOfVarint (local.get $delta)) (i32.const 4)))))
        (i32.store16 (local.get $out) (i32.const 0))
        (local.set $out (call $writeVarint (i32.add (local.get $out) (i32.const 2)) (local.get $delta)))
        (i32.store8 (local.get $out) (i32.const 1))
        (local.set $out (call $writeVarint (i32.add (local.get $out) (i32.const 1)) (local.get $valueBytes)))

        (local.set $valueEnd (i32.add (local.get $out) (local.get $valueBytes)))
        (loop $copy
          (v128.store (local.get $out) (v128.load (local.get $start)))
          (local.set $out (i32.add (local.get $out) (i32.const 16)))
          (local.set $start (i32.add (local.get $start) (i32.const 16)))
          (br_if $copy (i32.lt_u (local.get $out) (local.get $valueEnd))))

        ;; No headers.
        (i32.store8 (local.get $valueEnd) (i32.const 0))
        (local.set $out (i32.add (local.get $valueEnd) (i32.const 1)))
        (local.set $start (i32.add (local.get $lineEnd) (i32.const 1)))
        (local.set $delta (i32.add (local.get $delta) (i32.const 1)))
        (br $line)))
    (local.get $start) (local.get $out) (local.get $delta)))
