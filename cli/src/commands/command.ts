/** What every command has: --json, an example in its help, and the API where it speaks to it. */
import type { Command } from 'commander'
import { type Api, connectApi } from '../api/client.ts'
import { DEFAULT_API, dataFolderOf, readToken } from '../up/data-folder.ts'

export interface CommonOptions {
  json?: boolean
  data?: string
  api?: string
}

/** A subcommand of `program`; `usage` is its name and arguments, `example` one line that works. */
export function addCommand(program: Command, usage: string, description: string, example: string): Command {
  return program
    .command(usage)
    .description(description)
    .option('--json', 'print JSON')
    .option('--data <dir>', 'data folder (TANDEM_DATA, default ./.tandem)')
    .addHelpText('after', `\nExample:\n  $ tandem ${example}`)
}

/** The same for a command that speaks to the console. */
export function addApiCommand(program: Command, usage: string, description: string, example: string): Command {
  return addCommand(program, usage, description, example).option(
    '--api <address>',
    `the console (TANDEM_API, default ${DEFAULT_API})`,
  )
}

export function apiOf(options: CommonOptions): Api {
  const address = options.api ?? process.env.TANDEM_API ?? DEFAULT_API
  const token = process.env.TANDEM_TOKEN ?? readToken(dataFolderOf(process.env, options.data))
  return connectApi({ address, token })
}

/** JSON when asked for, else the text for people. */
export function print(options: CommonOptions, value: unknown, text: () => string): void {
  console.log(options.json ? JSON.stringify(value, null, 2) : text())
}
