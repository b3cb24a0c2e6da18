/** The 48-bit index of packets of one source (RFC 3711 3.3.1), and which of them have come (3.3.2). */

/** RFC 3711 3.3.2: the window is 64 at least. */
const WINDOW = 128

export class PacketIndex {
  /** Highest index so far; -1 before the first. */
  #highest = -1
  readonly #seen = new Float64Array(WINDOW).fill(-1)

  /** RFC 3711 appendix A: the index closest to what was seen; negative: from before the beginning. */
  guess(sequence: number): number {
    if (this.#highest < 0) return sequence
    const roc = Math.floor(this.#highest / 0x10000)
    const last = this.#highest % 0x10000
    if (last < 0x8000) return (sequence - last > 0x8000 ? roc - 1 : roc) * 0x10000 + sequence
    return (last - 0x8000 > sequence ? roc + 1 : roc) * 0x10000 + sequence
  }

  /** Neither too old nor there already. */
  fresh(index: number): boolean {
    return index >= 0 && index > this.#highest - WINDOW && this.#seen[index % WINDOW] !== index
  }

  /** Only of packets that are authentic. */
  took(index: number): void {
    this.#seen[index % WINDOW] = index
    if (index > this.#highest) this.#highest = index
  }
}
