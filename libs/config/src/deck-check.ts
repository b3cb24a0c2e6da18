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
