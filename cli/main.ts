#!/usr/bin/env node
import { runCli } from './program.ts';
import { processTerminal } from './terminal.ts';

// Connections that a bounded stop had to give up on must not keep the process: it ends when the command has.
process.exit(await runCli(process.argv.slice(2), processTerminal));
