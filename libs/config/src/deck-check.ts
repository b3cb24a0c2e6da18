/** The CSV of a rate deck as far as a person gets it wrong: columns, digits, prices. Billing reads it for real. */
import { parse } from 'csv-parse/sync'
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'

const COLUMNS = ['prefix', 'name', 'connect', 'perMinute', 'from', 'to']
const MOST_PER_FILE = 20

/** `decks`: CSV text by the path as it is written in the configuration. */
export function deckProblems(d: ConfigurationDocument, decks: Readonly<Record<string, string>>, found: Findings): void {
  for (const [name, deck] of Object.entries(d.rateDecks ?? {})) {
    if (deck.kind !== 'per-minute') continue
    const text = decks[deck.file]
    if (text === undefined) {
      found.problem(
        ['rateDecks', name, 'file'],
        `there is no file ${deck.file}`,
        `Write it (columns ${COLUMNS.join(',')}); its path is relative to this file.`,
      )
    } else checkRows(deck.file, text, found)
  }
}

/** The same for lists of numbers: a million rows are looked at in one pass. */
export function numberFileProblems(
  d: ConfigurationDocument,
  decks: Readonly<Record<string, string>>,
  found: Findings,
): void {
  for (const [i, { file }] of (d.numbers ?? []).entries()) {
    if (file === undefined) continue
    const text = decks[file]
    if (text === undefined) {
      const instead = `Write it (columns ${NUMBER_COLUMNS.join(',')}); its path is relative to this file.`
      found.problem(['numbers', i, 'file'], `there is no file ${file}`, instead)
    } else checkNumbers(d, file, text, found)
  }
}

const NUMBER_COLUMNS = ['number', 'user', 'reserved', 'failover', 'policy', 'note']

function checkNumbers(d: ConfigurationDocument, file: string, text: string, found: Findings): void {
  const say = (line: number, message: string, instead: string) =>
    found.problems.push({ file, line, column: 1, path: '', message, instead })
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  const header = (lines[0] ?? '').split(',').map((name) => name.trim())
  const unknown = header.filter((name) => !NUMBER_COLUMNS.includes(name))
  if (!header.includes('number') || unknown.length > 0) {
    const what = unknown.length > 0 ? `unknown column ${unknown.join(', ')}` : 'no column number'
    say(1, what, `The first line is ${NUMBER_COLUMNS.join(',')}.`)
    return
  }
  const before = found.problems.length
  const [number, user, policy] = ['number', 'user', 'policy'].map((name) => header.indexOf(name)) as [
    number,
    number,
    number,
  ]
  const seen = new Map<string, number>()
  for (let i = 1; i < lines.length && found.problems.length - before < MOST_PER_FILE; i++) {
    if (lines[i] === '') continue
    const cells = (lines[i] as string).split(',')
    const written = (cells[number] ?? '').trim()
    const owner = user < 0 ? '' : (cells[user] ?? '').trim()
    const by = policy < 0 ? '' : (cells[policy] ?? '').trim()
    if (!/^\+[1-9]\d{2,14}(-\+[1-9]\d{2,14})?$/.test(written))
      say(i + 1, `"${written}" is no E.164 number`, 'Write +1… or +1…-+1….')
    else if (seen.has(written)) say(i + 1, `${written} is there twice`, `It stands in line ${seen.get(written)} too.`)
    else seen.set(written, i + 1)
    if (owner !== '' && d.users[owner] === undefined)
      say(i + 1, `there is no user ${owner}`, 'Add the user, or leave it empty.')
    if (by !== '' && d.policies[by] === undefined)
      say(i + 1, `there is no policy ${by}`, 'Add the policy, or leave it empty.')
  }
}

function checkRows(file: string, text: string, found: Findings): void {
  const say = (line: number, message: string, instead: string) =>
    found.problems.push({ file, line, column: 1, path: '', message, instead })
  let rows: string[][]
  try {
    rows = parse(text, { bom: true, trim: true, relax_column_count: true, skip_empty_lines: false })
  } catch (error) {
    say(Number((error as { lines?: number }).lines ?? 1), (error as Error).message, 'Quote a field that holds a comma.')
    return
  }
  const header = rows[0] ?? []
  const missing = ['prefix', 'perMinute'].filter((c) => !header.includes(c))
  const unknown = header.filter((c) => !COLUMNS.includes(c))
  if (missing.length > 0 || unknown.length > 0) {
    const what = [...missing.map((c) => `no column ${c}`), ...unknown.map((c) => `unknown column ${c || '(empty)'}`)]
    say(1, what.join(', '), `The first line is ${COLUMNS.join(',')}.`)
    return
  }
  const at = (row: string[], column: string) => row[header.indexOf(column)] ?? ''
  let said = 0
  for (const [i, row] of rows.entries()) {
    if (i === 0 || (row.length === 1 && row[0] === '')) continue
    if (said >= MOST_PER_FILE) return
    const before = found.problems.length
    if (!/^\+?\d{0,20}$/.test(at(row, 'prefix'))) say(i + 1, `"${at(row, 'prefix')}" is not a prefix`, 'Digits only.')
    for (const column of ['connect', 'perMinute']) {
      const price = at(row, column)
      if (price === '' && column === 'connect') continue
      if (!/^\d{1,9}(\.\d{1,10})?$/.test(price)) {
        say(i + 1, `"${price}" is not a price (${column})`, 'Write it with a point, as 0.0120.')
      }
    }
    said += found.problems.length - before
  }
}
