/** `npm run testnet` over small nodes. */
import { testnet } from "../../scripts/testnet/testnet.ts"
import { DOUBLE } from "../helpers/sotto.ts"

process.exit(await testnet(process.argv.slice(2), DOUBLE))
