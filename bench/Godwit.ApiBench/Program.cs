using System.CommandLine;
using Godwit.ApiBench;

var server = new Option<string>("--server") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var runs = new Option<int>("--runs") { Description = "How often; the table shows medians.", DefaultValueFactory = _ => 3 };
var small = new Option<bool>("--small") { Description = "A tenth of the objects and no list of 50 000: for looking, not for the table." };
var pods = new Option<bool>("--pods") { Description = "Only pods: how fast they get nodes, and what a server needs with so many stored." };
var command = new RootCommand("Measures `godwit server` over TLS and HTTP/2, and prints a table of ratios to kube-apiserver's published numbers.") { server, runs, small, pods };
command.SetAction(async (parsed, stopping) =>
{
    var results = new Results();
    for (var run = 1; run <= parsed.GetValue(runs); run++)
    {
        var (program, divisor) = (Path.GetFullPath(parsed.GetValue(server)!), parsed.GetValue(small) ? 10 : 1);
        await (parsed.GetValue(pods) ? new PodSequence(program, divisor, results, stopping).RunAsync() : Sequence.RunAsync(program, divisor, results, stopping));
    }

    Console.WriteLine(results.ToMarkdown());
});
return await command.Parse(args).InvokeAsync();
