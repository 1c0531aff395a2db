using Godwit.App;

return await GodwitProgram.RunAsync(args);
