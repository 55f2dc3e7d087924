process.stderr.write("sotto\n")
