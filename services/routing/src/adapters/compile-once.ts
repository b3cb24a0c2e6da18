/**
 * A change is rehearsed first and prepared then (ADR 80), by the same bytes: a large table is made once for both, if the
 * second comes soon.
 */
import { isLarge } from '@tandem/config/aside.ts'
import type { ReadTable } from '../read-table.ts'
import { compileAside } from './compile-aside.ts'

/** Billing is asked and test cases run between the two, ms; a rehearsal without a change holds its table that long. */
const keptMs = 60_000

export type Compile = (bytes: Uint8Array, urgent?: boolean) => ReadTable | Promise<ReadTable>

export function compileOnce(): { compile: Compile; stop(): void } {
  let last: { readonly bytes: Uint8Array; readonly read: Promise<ReadTable> } | undefined
  let forgetting: NodeJS.Timeout | undefined
  const forget = () => {
    clearTimeout(forgetting)
    last = undefined
  }
  return {
    compile(bytes, urgent) {
      if (!isLarge(bytes)) return compileAside(bytes, urgent)
      const same = last !== undefined && Buffer.compare(last.bytes, bytes) === 0 ? last.read : undefined
      forget()
      // who comes second takes it over
      if (same !== undefined) return same
      const read = Promise.resolve(compileAside(bytes, urgent))
      last = { bytes, read }
      forgetting = setTimeout(forget, keptMs)
      forgetting.unref()
      return read
    },
    stop: forget,
  }
}
