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

/** Pure: the same messages in any order give the same ladder. Each leg has a column of its own. */
export function drawLadder(callId: string, messages: readonly CapturedMessage[]): Ladder {
  const inOrder = messages.toSorted(byTime)
  const legs = [...new Map(inOrder.map((m) => [partyOf(m), m.peer]))]
  const names = numbered(legs.map(([, peer]) => peer))
  const columns = [...names.slice(0, 1), edgeColumn, ...names.slice(1)]
  // the edge stands behind the first leg
  const columnOf = new Map(legs.map(([party], i) => [party, i === 0 ? 0 : i + 1]))
  const edge = columns.indexOf(edgeColumn, legs.length === 0 ? 0 : 1)
  const seen = new Set<string>()
  const arrows = inOrder.map((m): LadderArrow => {
    const peer = columnOf.get(partyOf(m)) ?? 0
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

const partyOf = ({ legId, peer }: CapturedMessage): string => `${legId} ${peer}`

/** What was received comes before what was sent because of it. */
function byTime(a: CapturedMessage, b: CapturedMessage): number {
  return (
    a.offsetUs - b.offsetUs || compare(a.direction, b.direction) || compare(a.legId, b.legId) || compare(a.text, b.text)
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Two phones of a user, a second try at a trunk: told apart by a number. */
function numbered(names: readonly string[]): string[] {
  const times = new Map<string, number>()
  return names.map((name) => {
    const time = (times.get(name) ?? 0) + 1
    times.set(name, time)
    return time === 1 ? name : `${name} (${time})`
  })
}

function labelOf(text: string): string {
  const startLine = text.slice(0, text.indexOf('\r\n') === -1 ? 200 : text.indexOf('\r\n'))
  const head = text.split('\r\n\r\n', 1)[0] ?? text
  // RFC 3261 7.3.3: c is its compact form
  const body = /\r\n(?:Content-Type|c)[ \t]*:\s*([^\s;]+)/i.exec(head)?.[1]?.toLowerCase()
  const what = startLine.startsWith('SIP/2.0 ') ? startLine.slice(8) : (startLine.split(' ')[0] ?? startLine)
  const carries =
    body === undefined ? '' : body === 'application/sdp' ? ' (SDP)' : ` (${body.replace('application/', '')})`
  return `${what}${carries}`.slice(0, 80)
}

const TIME_ROOM = 10
const NARROWEST = 8
const WIDEST = 40
const AGAIN = ' again'

/**
 * The ladder as text for a terminal of so many characters, in the manner of sngrep; under each name how it was reached.
 * No line is longer as long as eight characters are left for a column.
 */
export function ladderText(ladder: Ladder, terminal?: number): string {
  const fits = terminal === undefined ? 28 : Math.floor((terminal - TIME_ROOM) / ladder.columns.length)
  const width = Math.min(Math.max(fits, NARROWEST), WIDEST)
  const centre = (i: number): number => TIME_ROOM + Math.floor(width / 2) + i * width
  const total = TIME_ROOM + ladder.columns.length * width
  const put = (chars: string[], at: number, text: string): void => {
    for (const [i, char] of [...text].entries()) if (at + i >= 0 && at + i < chars.length) chars[at + i] = char
  }
  const line = (filled: readonly string[]): string[] => {
    const chars = new Array<string>(total).fill(' ')
    for (const [i, text] of filled.entries()) {
      const shown = cutName(text, width - 2)
      put(chars, centre(i) - Math.floor(shown.length / 2), shown)
    }
    return chars
  }
  const shown = (chars: readonly string[]): string => chars.join('').trimEnd()
  const out = [shown(line(ladder.columns)), shown(line(transportsOf(ladder)))]
  for (const a of ladder.arrows) {
    const [left, right] = a.from < a.to ? [a.from, a.to] : [a.to, a.from]
    const chars = line(ladder.columns.map(() => '│'))
    const room = centre(right) - centre(left) - 1
    put(chars, centre(left) + 1, (a.retransmission ? '┄' : '─').repeat(room))
    put(chars, a.from < a.to ? centre(right) - 1 : centre(left) + 1, a.from < a.to ? '▶' : '◀')
    const mark = a.retransmission && room > AGAIN.length + NARROWEST ? AGAIN : ''
    const label = cutLabel(a.label, room - 4 - mark.length) + mark
    put(chars, centre(left) + 1 + Math.floor((room - label.length - 2) / 2), ` ${label} `)
    put(chars, 0, `${a.offsetMs.toFixed(1)} ms`.padStart(TIME_ROOM))
    out.push(shown(chars))
  }
  return `${out.join('\n')}\n`
}

/** `trunk:itsp-a`, `itsp-a`, `carri…rth`: what tells two carriers apart is as often the end of a name as its beginning. */
function cutName(text: string, room: number): string {
  const plain = cut(text, text.length)
  if (plain.length <= room) return plain
  const bare = plain.replace(/^(user|trunk):/, '')
  if (bare.length <= room) return bare
  const tail = Math.floor((room - 1) / 2)
  return `${bare.slice(0, Math.max(room - 1 - tail, 0))}…${tail > 0 ? bare.slice(-tail) : ''}`
}

/** What it carries goes before its name does. */
function cutLabel(text: string, room: number): string {
  return cut(text.length > room ? text.replace(/ \([^)]*\)$/, '') : text, room)
}

/** Text of strangers: nothing in it moves the cursor of a terminal. */
function cut(text: string, room: number): string {
  const plain = text.replace(/\p{C}/gu, '?')
  return plain.length > room ? `${plain.slice(0, Math.max(room - 1, 0))}…` : plain
}

function transportsOf({ columns, arrows }: Ladder): string[] {
  const edge = 1
  return columns.map((_, i) =>
    i === edge ? '' : [...new Set(arrows.filter((a) => a.from === i || a.to === i).map((a) => a.transport))].join(', '),
  )
}
