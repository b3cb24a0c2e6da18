/** SRTP of a far end in tests (RFC 4568, RFC 3711). */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { usable } from '../src/domain/srtp/sdes.ts'
import { SUITES, type Suite } from '../src/domain/srtp/session-keys.ts'
import { SrtpContext } from '../src/domain/srtp/srtp-context.ts'

/** SRTP of a far end: its own key, and ours as the description says. */
export class Keys {
  readonly ours: SrtpContext
  readonly text: string
  readonly #tag: number
  #theirs: SrtpContext | undefined

  /** Answers `offer`, or makes an offer under `tag`. */
  constructor(offer: string | undefined, tag = 1) {
    const found = offer === undefined ? undefined : lineOf(offer)
    this.#tag = found?.tag ?? tag
    if (found) this.#theirs = new SrtpContext(AES80, found.key)
    const key = randomBytes(30)
    this.text = key.toString('base64')
    this.ours = new SrtpContext(AES80, key)
  }

  get line(): string {
    return `a=crypto:${this.#tag} ${AES80.name} inline:${this.text}`
  }

  get theirs(): SrtpContext {
    return this.#theirs as SrtpContext
  }

  heard(answer: string): void {
    const found = lineOf(answer)
    assert.equal(found?.tag, this.#tag)
    this.#theirs = new SrtpContext(AES80, found?.key as Uint8Array)
  }
}

const AES80 = SUITES[0] as Suite

function lineOf(text: string) {
  const values = text.split('\r\n').filter((each) => each.startsWith('a=crypto:'))
  return usable(values.map((each) => each.slice('a=crypto:'.length))).find(({ suite }) => suite === AES80)
}
