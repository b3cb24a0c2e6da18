/** The bytes of a message that may have to be sent again, small while nobody needs them. */
export class KeptMessage {
  #bytes: Buffer | undefined
  #text = ''

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get bytes(): Uint8Array {
    return this.#bytes ?? Buffer.from(this.#text, 'latin1')
  }

  /**
   * The message has been sent and now only waits for a retransmission: it is kept as text of one byte a character. A
   * small Buffer holds on to the whole 8 KiB from which Node has cut it.
   */
  compact(): void {
    if (!this.#bytes) return
    this.#text = this.#bytes.toString('latin1')
    this.#bytes = undefined
  }
}
