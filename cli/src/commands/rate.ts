/** rate: what a call costs by a rate deck; nothing needs to run. */
import { readFileSync } from 'node:fs'
import { formatMoney, ROUNDING_MODES, type RoundingMode } from '@tandem/money/money.ts'
import { readDeck } from '@tandem/rating/deck.ts'
import { DEFAULT_TERMS, type RatingTerms, rateCall } from '@tandem/rating/rate-call.ts'
import { type Command, Option } from 'commander'
import { Failure } from '../failure.ts'
import { addCommand, type CommonOptions, print } from './command.ts'

interface RateOptions extends CommonOptions {
  deck: string
  to: string
  seconds: string
  increments: string
  rounding: RoundingMode
  decimals: string
}

export function addRateCommand(program: Command): void {
  addCommand(
    program,
    'rate',
    'what a call costs by a rate deck',
    'rate --deck examples/acme/rates/itsp-a.csv --to +442079460000 --seconds 95',
  )
    .requiredOption('--deck <file>', 'CSV with the columns prefix,name,connect,perMinute,from,to')
    .requiredOption('--to <number>', 'called number, E.164')
    .requiredOption('--seconds <n>', 'talked seconds')
    .option('--increments <first/next>', 'billing increments in seconds', '6/6')
    .addOption(new Option('--rounding <mode>', 'rounding').choices([...ROUNDING_MODES]).default('half-up'))
    .option('--decimals <n>', 'decimals of the price', '4')
    .action(rate)
}

function rate(options: RateOptions): void {
  const digits = options.to.replace(/[\s().-]/g, '').replace(/^\+/, '')
  if (!/^\d{3,15}$/.test(digits)) throw new Failure(`${options.to} is not a number`, 'Write E.164, as +442079460000.')
  const increments = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(options.increments)
  if (!increments) throw new Failure(`${options.increments} are not increments`, 'Write first/next in seconds, as 6/6.')
  const talked = Number(options.seconds)
  if (!(talked >= 0)) throw new Failure(`${options.seconds} are not seconds`, 'Write a number, as 95.')
  const read = readDeck(readFile(options.deck), { name: options.deck, currency: 'XXX', timeZone: 'UTC' })
  if (read.kind === 'invalid') {
    const [first] = read.errors
    throw new Failure(
      `${options.deck}:${first?.line}: ${first?.column}: ${first?.reason}`,
      'Mend the row and try again.',
    )
  }
  const terms: RatingTerms = {
    ...DEFAULT_TERMS,
    firstMs: Number(increments[1]) * 1000,
    nextMs: Number(increments[2]) * 1000,
    rounding: options.rounding,
    decimals: Number(options.decimals),
  }
  const rated = rateCall({ number: digits, startedAt: Date.now(), durationMs: talked * 1000 }, read.deck, terms)
  if (rated.kind === 'no-prefix')
    throw new Failure(
      `the deck has no prefix of ${options.to}`,
      'Add a row for it, or one with an empty prefix for all the rest.',
    )
  const { row, amount } = rated
  const billedSeconds = rated.billedMs / 1000
  const shown = {
    to: `+${digits}`,
    prefix: row.prefix,
    name: row.name,
    billedSeconds,
    amount: formatMoney(amount, Number(options.decimals)),
  }
  print(options, shown, () => {
    const connect = row.connect > 0n ? `${formatMoney(row.connect)} + ` : ''
    return `${shown.amount}  (${row.name || 'prefix'} ${row.prefix}: ${connect}${billedSeconds} s at ${formatMoney(row.perMinute)} a minute)`
  })
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${(error as Error).message}`, 'Give the CSV of a rate deck.')
  }
}
