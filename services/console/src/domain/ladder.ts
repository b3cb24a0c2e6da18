/** The SIP ladder of a call: one column per party with the edge in the middle, one arrow per message. */
import type { CapturedMessage } from '@tandem/contracts/call.ts'

export interface LadderArrow {
  /** ms since the first message. */
  offsetMs: number
  at: string
  /** Index into `columns`. */
  from: number
  to: number
  /** `INVITE (SDP)`, `183 Session Progress (SDP)` … */
  label: string
  legId: string
  transport: string
  /** Seen before on this leg in this direction: a retransmission. */
  retransmission: boolean
  text: string
}

export interface Ladder {
  callId: string
  columns: string[]
  arrows: LadderArrow[]
}

const edgeColumn = 'tandem'

/** Pure: the same messages in any order give the same ladder. */
export function drawLadder(callId: string, messages: readonly CapturedMessage[]): Ladder {
  const inOrder = messages.toSorted((a, b) => a.offsetUs - b.offsetUs)
  const peers = [...new Set(inOrder.map((m) => m.peer))]
  const first = inOrder[0]?.peer
  const columns = first === undefined ? [edgeColumn] : [first, edgeColumn, ...peers.filter((p) => p !== first)]
  const seen = new Set<string>()
  const arrows = inOrder.map((m): LadderArrow => {
    const peer = columns.indexOf(m.peer)
    const edge = columns.indexOf(edgeColumn)
    const key = `${m.legId}|${m.direction}|${m.text}`
    const retransmission = seen.has(key)
    seen.add(key)
    return {
      offsetMs: Math.round(m.offsetUs / 100) / 10,
      at: m.at,
      from: m.direction === 'received' ? peer : edge,
      to: m.direction === 'received' ? edge : peer,
      label: labelOf(m.text),
      legId: m.legId,
      transport: m.transport,
      retransmission,
      text: m.text,
    }
  })
  return { callId, columns, arrows }
}

function labelOf(text: string): string {
  const startLine = text.slice(0, text.indexOf('\r\n') === -1 ? 200 : text.indexOf('\r\n'))
  const body = /\r\nContent-Type:\s*([^\s;]+)/i.exec(text)?.[1]?.toLowerCase()
  const what = startLine.startsWith('SIP/2.0 ') ? startLine.slice(8) : (startLine.split(' ')[0] ?? startLine)
  const carries =
    body === undefined ? '' : body === 'application/sdp' ? ' (SDP)' : ` (${body.replace('application/', '')})`
  return `${what}${carries}`.slice(0, 80)
}

/** The ladder as text for a terminal, in the manner of sngrep. */
export function ladderText(ladder: Ladder, width = 28): string {
  const centre = (i: number): number => 10 + Math.floor(width / 2) + i * width
  const total = centre(ladder.columns.length - 1) + Math.ceil(width / 2) + 1
  const line = (): string[] => {
    const chars = new Array<string>(total).fill(' ')
    ladder.columns.forEach((_, i) => {
      chars[centre(i)] = '│'
    })
    return chars
  }
  const put = (chars: string[], at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) if (at + i >= 0 && at + i < chars.length) chars[at + i] = text.charAt(i)
  }
  const head = new Array<string>(total).fill(' ')
  ladder.columns.forEach((name, i) => {
    const shown = name.length > width - 2 ? `${name.slice(0, width - 3)}…` : name
    put(head, centre(i) - Math.floor(shown.length / 2), shown)
  })
  const out = [head.join('').trimEnd()]
  for (const a of ladder.arrows) {
    const [left, right] = a.from < a.to ? [a.from, a.to] : [a.to, a.from]
    const chars = line()
    const room = centre(right) - centre(left) - 1
    put(chars, centre(left) + 1, '─'.repeat(room))
    put(chars, a.from < a.to ? centre(right) - 1 : centre(left) + 1, a.from < a.to ? '▶' : '◀')
    const label = ` ${a.retransmission ? `${a.label} again` : a.label} `.slice(0, room - 2)
    put(chars, centre(left) + 1 + Math.floor((room - label.length) / 2), label)
    put(chars, 0, `${a.offsetMs.toFixed(1)} ms`.padStart(10))
    out.push(chars.join('').trimEnd())
  }
  return `${out.join('\n')}\n`
}
