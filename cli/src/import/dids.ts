/** A list of numbers as carriers and Get-CsUser give it → entries of `numbers`. */
import { isE164, toE164 } from '@tandem/numbers/e164.ts'
import { textOf } from './lync-properties.ts'
import type { RowNote, SourceRow } from './making.ts'

export interface DidEntry {
  number?: string
  range?: string
  user?: string
  reserved?: true
  failover?: string
  policy?: string
  note?: string
}
export interface KnownNumbers {
  readonly country: string
  readonly users: ReadonlySet<string>
  readonly policies: ReadonlySet<string>
  /** First and last number of what is there already, with who has it. */
  readonly spans: readonly { readonly first: string; readonly last: string }[]
  readonly dids: ReadonlyMap<string, string>
}

/** What the columns are called, by us, by carriers and by Get-CsUser or Get-CsOnlineTelephoneNumber. */
const columns = {
  number: ['number', 'did', 'telephoneNumber', 'phoneNumber', 'lineUri', 'tn', 'e164'],
  first: ['first', 'from', 'start', 'rangeStart'],
  last: ['last', 'to', 'end', 'rangeEnd'],
  user: ['user', 'assignedTo', 'alias', 'samAccountName'],
  failover: ['failover', 'failoverTarget'],
  policy: ['policy'],
  note: ['note', 'description', 'city'],
  reserved: ['reserved', 'state', 'status'],
} as const

type Column = keyof typeof columns
const cell = ({ values }: SourceRow, column: Column): string => {
  for (const name of columns[column]) {
    const text = textOf(values, name)
    if (text !== '') return text
  }
  return ''
}

/** All or nothing: with one error nothing is written, and each row says what is wrong with it. */
export function importDids(
  rows: readonly SourceRow[],
  known: KnownNumbers,
): { entries: DidEntry[]; errors: RowNote[] } {
  const entries: DidEntry[] = []
  const errors: RowNote[] = []
  const seen: Span[] = known.spans.map(({ first, last }) => ({
    first: Number(first),
    last: Number(last),
    where: 'in the file',
  }))
  for (const row of rows) {
    const wrong = (message: string, instead: string) =>
      void errors.push({
        file: row.file,
        row: row.row,
        what: cell(row, 'number') || cell(row, 'first') || 'row',
        message,
        instead,
      })
    const span = spanOf(row, known.country)
    if (span === undefined) {
      wrong('there is no full number in it', 'Write it as +14255551001, or first and last in columns of their own.')
      continue
    }
    const clash = overlapping(seen, span)
    if (clash !== undefined) {
      wrong(
        `${span.first === span.last ? span.first : `${span.first}-${span.last}`} is there already, ${clash.where}`,
        'Keep each number once.',
      )
      continue
    }
    seen.push({ first: Number(span.first), last: Number(span.last), where: `in row ${row.row}` })
    const entry = entryOf(row, span, known, wrong)
    if (entry !== undefined) entries.push(entry)
  }
  return { entries, errors }
}

interface Span {
  readonly first: number
  readonly last: number
  readonly where: string
}

function spanOf(row: SourceRow, country: string): { first: string; last: string } | undefined {
  const [one = '', other] = cell(row, 'number').split(/\s*(?:-|–|\.\.)\s*(?=\+)/)
  const first = read(cell(row, 'first') || one, country)
  const last = read(cell(row, 'last') || other || cell(row, 'first') || one, country)
  if (first === undefined || last === undefined || first.length !== last.length || last < first) return undefined
  return { first, last }
}

/** `tel:+14255551001;ext=1001`, `(425) 555-1001`, `14255551001` … */
function read(text: string, country: string): string | undefined {
  return toE164(text.replace(/^tel:/i, ''), { country })
}

/** A number in a range that is there is a number of its own: it goes before the range. Only equals clash, and ranges. */
function overlapping(seen: readonly Span[], { first, last }: { first: string; last: string }): Span | undefined {
  const [from, to] = [Number(first), Number(last)]
  const single = from === to
  return seen.find((span) => (span.first === span.last) === single && span.first <= to && from <= span.last)
}

function entryOf(
  row: SourceRow,
  { first, last }: { first: string; last: string },
  known: KnownNumbers,
  wrong: (message: string, instead: string) => void,
): DidEntry | undefined {
  const [user, failover, policy, note] = (['user', 'failover', 'policy', 'note'] as const).map((column) =>
    cell(row, column),
  ) as [string, string, string, string]
  const owner = known.dids.get(first)
  if (user !== '' && !known.users.has(user))
    return wrong(`there is no user ${user}`, 'Add the user, or leave the column empty.') as undefined
  if (user !== '' && first !== last)
    return wrong('a range has many numbers, a user one', 'Give the user a row of its own.') as undefined
  if (user !== '' && owner !== undefined && owner !== user)
    return wrong(`${first} is the DID of ${owner}`, 'Take one of the two away.') as undefined
  if (policy !== '' && !known.policies.has(policy))
    return wrong(`there is no policy ${policy}`, 'Add it, or leave the column empty.') as undefined
  if (failover !== '' && !known.users.has(failover)) {
    if (!isE164(failover))
      return wrong(`${failover} is neither a user nor an E.164 number`, 'Write it as +14255551001.') as undefined
    if (policy === '' && user === '' && owner === undefined)
      return wrong(`nothing says by which usages ${failover} may be called`, 'Add a column policy.') as undefined
  }
  const reserved = /^(true|yes|1|reserved)$/i.test(cell(row, 'reserved'))
  if (reserved && (user !== '' || owner !== undefined))
    return wrong(`it is reserved, but ${user || owner} has it`, 'Take one of the two away.') as undefined
  return {
    ...(first === last ? { number: first } : { range: `${first}-${last}` }),
    ...(user === '' || owner === user ? {} : { user }),
    ...(reserved ? { reserved: true } : {}),
    ...(failover === '' ? {} : { failover }),
    ...(policy === '' ? {} : { policy }),
    ...(note === '' ? {} : { note: note.slice(0, 512) }),
  }
}
