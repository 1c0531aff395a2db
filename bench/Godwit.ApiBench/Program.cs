using System.CommandLine;
using Godwit.ApiBench;

var server = new Option<string>("--server") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var runs = new Option<int>("--runs") { Description = "How often; the table shows medians.", DefaultValueFactory = _ => 3 };
var small = new Option<bool>("--small") { Description = "A tenth of the objects and no list of 50 000: for looking, not for the table." };
var command = new RootCommand("Measures `godwit server` over TLS and HTTP/2, and prints a table of ratios to kube-apiserver's published numbers.") { server, runs, small };
command.SetAction(async (parsed, stopping) =>
{
    var results = new Results();
    for (var run = 1; run <= parsed.GetValue(runs); run++)
    {
        await Sequence.RunAsync(Path.GetFullPath(parsed.GetValue(server)!), parsed.GetValue(small) ? 10 : 1, results, stopping);
    }

    Console.WriteLine(results.ToMarkdown());
});
return await command.Parse(args).InvokeAsync();
