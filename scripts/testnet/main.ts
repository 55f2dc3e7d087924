/** Where `npm run testnet` begins. */
import { testnet } from "./testnet.ts"

process.exit(await testnet(process.argv.slice(2)))
