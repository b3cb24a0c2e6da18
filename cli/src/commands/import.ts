/** import lync, import dids */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Command } from 'commander'
import { Failure } from '../failure.ts'
import type { NewEntries } from '../import/into-yaml.ts'
import type { RowNote, Sections, SourceRow } from '../import/making.ts'
import { colours } from '../print/colours.ts'
import { addCommand, type CommonOptions, print } from './command.ts'

type ImportOptions = CommonOptions & { into?: string; dryRun?: boolean }
type LyncOptions = ImportOptions & { listener?: string; from: Record<string, string[]> }

export function addImportCommands(program: Command): void {
  const group = program.command('import').description('take over what another system exports')
  addCommand(
    group,
    'lync <file...>',
    'dial plans, normalisation rules, policies, routes and trunks of Lync, Skype for Business or Teams: what Get-Cs… gave to Export-Clixml, ConvertTo-Json or Export-Csv',
    'import lync dialplans.xml routes.json gateways.csv --into tandem.yaml --dry-run',
  )
    .option('--into <file>', 'the configuration that they are put into; without it they are printed')
    .option('--listener <name>', 'listener of imported trunks: the first TLS one of the configuration when left out')
    .option(
      '--from <gateway=address>',
      'from where a gateway calls in: no export says it; may be repeated',
      addressOf,
      {},
    )
    .option('--dry-run', 'say what would be put in, and write nothing')
    .action(lync)
  addCommand(
    group,
    'dids <file>',
    'a CSV (or JSON, Clixml) of numbers: number or first and last, user, reserved, failover, policy, note',
    'import dids numbers.csv --into tandem.yaml',
  )
    .requiredOption('--into <file>', 'the configuration that they are put into')
    .option('--dry-run', 'say what would be put in, and write nothing')
    .action(dids)
}

function addressOf(written: string, before: Record<string, string[]>): Record<string, string[]> {
  const [, gateway, address] = /^([^=]+)=(.+)$/.exec(written) ?? []
  if (gateway === undefined || address === undefined)
    throw new Failure(`--from ${written} names no gateway`, 'Write --from sbc1.contoso.com=192.0.2.10.')
  return { ...before, [gateway]: [...(before[gateway] ?? []), address] }
}

async function lync(files: string[], options: LyncOptions): Promise<void> {
  const { importLync } = await import('../import/lync.ts')
  const rows = await readRows(files)
  const target = options.into === undefined ? undefined : await readTarget(options.into)
  const { sections, errors, notes } = importLync(rows, {
    country: target?.configuration?.country ?? 'US',
    listener: options.listener ?? listenerOf(target?.configuration),
    trunks: new Set(Object.keys(target?.configuration?.trunks ?? {})),
    from: options.from,
  })
  const { siteDialPlans, ...rest } = sections
  const entries = rest as unknown as NewEntries
  for (const [site, plan] of Object.entries(siteDialPlans))
    notes.push({
      file: options.into ?? files[0] ?? '',
      row: 0,
      what: `site ${site}`,
      message: `its dial plan is ${plan}`,
      instead: `Add dialPlan: ${plan} to sites.${site}.`,
    })
  await finish(entries, counts(sections), { errors, notes }, target, options)
}

async function dids(file: string, options: ImportOptions): Promise<void> {
  const { importDids } = await import('../import/dids.ts')
  const rows = await readRows([file])
  const target = await readTarget(options.into as string)
  const { configuration } = target
  if (configuration === undefined)
    throw new Failure(`${target.path} is not right yet`, 'Mend it first: tandem check shows what is wrong.')
  const { users, policies, numbers, country } = configuration
  const owners = Object.entries(users).flatMap(([name, { did }]) => (did === null ? [] : [[did, name] as const]))
  const { entries, errors } = importDids(rows, {
    ...{ country, users: new Set(Object.keys(users)), policies: new Set(Object.keys(policies)) },
    ...{ spans: numbers, dids: new Map(owners) },
  })
  await finish({ numbers: entries }, [`${entries.length} entries of numbers`], { errors, notes: [] }, target, options)
}

async function readRows(files: readonly string[]): Promise<SourceRow[]> {
  const { readExport } = await import('../import/export-file.ts')
  return files.flatMap((file) => {
    const read = readExport(readBytes(file))
    if (read.kind === 'bad') throw new Failure(`${file}: ${read.message}`, read.instead)
    return read.rows.map((row) => ({ ...row, file }))
  })
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${(error as Error).message}`, 'Name a file that is there.')
  }
}

interface Target {
  readonly path: string
  readonly text: string
  /** Undefined when the file is not right by itself. */
  readonly configuration: Configuration | undefined
}

async function readTarget(path: string): Promise<Target> {
  const { checkConfiguration } = await import('@tandem/config/check.ts')
  const text = new TextDecoder().decode(readBytes(path))
  const checked = checkConfiguration({ files: [{ path, text }], lint: false })
  return { path, text, configuration: checked.kind === 'bad' ? undefined : checked.configuration }
}

/** Teams and Lync speak TLS to their gateways. */
function listenerOf(configuration: Configuration | undefined): string {
  const listeners = Object.entries(configuration?.edge.listen ?? {})
  const [name] =
    listeners.find(([, { transport }]) => transport === 'tls') ??
    listeners.find(([n]) => n === 'carrier') ??
    listeners[0] ??
    []
  return name ?? 'carrier'
}

function counts({ dialPlans, policies, routes, trunks }: Sections): string[] {
  const rules = Object.values(dialPlans).reduce((sum, plan) => sum + plan.rules.length, 0)
  const things: [number, string][] = [
    [Object.keys(dialPlans).length, 'dial plan'],
    [rules, 'rule'],
    [Object.keys(policies).length, 'policy'],
    [routes.length, 'route'],
    [Object.keys(trunks).length, 'trunk'],
  ]
  return things
    .filter(([n]) => n > 0)
    .map(([n, what]) => `${n} ${n === 1 ? what : what === 'policy' ? 'policies' : `${what}s`}`)
}

async function finish(
  entries: NewEntries,
  counted: string[],
  { errors, notes }: { errors: RowNote[]; notes: RowNote[] },
  target: Target | undefined,
  options: ImportOptions,
): Promise<void> {
  const { asYaml, mergeInto, present } = await import('../import/into-yaml.ts')
  if (target === undefined) {
    report(options, { errors, notes, written: false, counted }, errors.length > 0 ? '' : asYaml(entries))
    return
  }
  for (const { path, line } of present(target.text, entries))
    errors.push({
      file: target.path,
      row: line,
      what: path,
      message: 'it is there already',
      instead: 'Rename one of the two, or take it out.',
    })
  const merged = mergeInto(target.text, entries)
  if (merged.kind === 'bad')
    throw new Failure(`${target.path}: ${merged.message}`, 'Mend it first: tandem check shows what is wrong.')
  const { problems, warnings } = await check(target, merged.text)
  for (const { line, path, message, instead } of problems)
    errors.push({ file: target.path, row: line, what: path, message, instead })
  for (const { line, path, message, instead } of warnings)
    notes.push({ file: target.path, row: line, what: path, message, instead })
  const write = errors.length === 0 && options.dryRun !== true
  if (write) writeFileSync(target.path, merged.text)
  report(
    options,
    { errors, notes, written: write, counted, into: target.path },
    errors.length === 0 && !write ? asYaml(entries) : '',
  )
}

/** Only what the import brings: a file that was wrong before is no fault of it. */
async function check(target: Target, text: string) {
  const { checkConfiguration } = await import('@tandem/config/check.ts')
  const before = checkConfiguration({ files: [{ path: target.path, text: target.text }] })
  const after = checkConfiguration({ files: [{ path: target.path, text }] })
  const old = new Set(
    (before.kind === 'bad' ? before.problems : before.warnings).map(({ path, message }) => `${path} ${message}`),
  )
  const fresh = (all: readonly { path: string; message: string; line: number; instead: string }[]) =>
    all.filter(({ path, message }) => !old.has(`${path} ${message}`))
  return {
    problems: after.kind === 'bad' ? fresh(after.problems) : [],
    warnings: after.kind === 'bad' ? [] : fresh(after.warnings),
  }
}

interface Report {
  errors: RowNote[]
  notes: RowNote[]
  written: boolean
  counted: string[]
  into?: string
}

function report(options: ImportOptions, r: Report, yaml: string): void {
  if (r.errors.length > 0) process.exitCode = 1
  print(options, { ...r, yaml }, () => {
    const line = (mark: string) => (n: RowNote) =>
      `${mark} ${n.file}${n.row > 0 ? `:${n.row}` : ''}  ${n.what}: ${n.message}.${n.instead === '' ? '' : ` ${n.instead}`}`
    const end =
      r.errors.length > 0
        ? `${colours.red('✗')} nothing was written: ${r.errors.length} row${r.errors.length === 1 ? '' : 's'} cannot be taken over`
        : r.written
          ? `${colours.green('✓')} ${r.counted.join(', ')} put into ${r.into}: tandem plan ${r.into} shows what it would change`
          : `${r.counted.join(', ')}${r.into === undefined ? '' : ' would be put in (--dry-run)'}`
    return [
      ...r.errors.map(line(colours.red('✗'))),
      ...r.notes.map(line(colours.yellow('!'))),
      ...(yaml === '' ? [] : [yaml.trimEnd()]),
      end,
    ].join('\n')
  })
}
