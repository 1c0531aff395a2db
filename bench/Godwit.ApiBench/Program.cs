using System.CommandLine;
using Godwit.ApiBench;

var server = new Option<string>("--server") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var runs = new Option<int?>("--runs") { Description = "How often; the table shows medians (default 3, with --pods 1)." };
var small = new Option<bool>("--small") { Description = "A tenth of the objects and no list of 50 000: for looking, not for the table." };
var pods = new Option<bool>("--pods") { Description = "Only pods: how fast they get nodes, and what a server needs with so many stored." };
var only = new Option<string[]>("--only") { Description = "Only steps whose names contain one of these words, such as 'stored' or 'bind 1000'.", AllowMultipleArgumentsPerToken = true };
var list = new Option<bool>("--list") { Description = "Say which steps there are, and measure nothing." };
var minutes = new Option<double>("--minutes") { Description = "No step begins after that; the table says what was left out.", DefaultValueFactory = _ => 10 };
var command = new RootCommand("Measures `godwit server` over TLS and HTTP/2, and prints a table of ratios to kube-apiserver's published numbers.") { server, runs, small, pods, only, list, minutes };
command.SetAction(async (parsed, stopping) =>
{
    var results = new Results();
    var words = parsed.GetValue(only) is { Length: > 0 } asked ? asked : [""];
    var steps = Steps.Of(Path.GetFullPath(parsed.GetValue(server)!), parsed.GetValue(small) ? 10 : 1, results)
        .Where(step => (step.IsOfPods || !parsed.GetValue(pods)) && (step.IsOfPods == parsed.GetValue(pods) || parsed.GetValue(only) is { Length: > 0 }) && words.Any(word => step.Name.Contains(word, StringComparison.Ordinal)))
        .ToList();
    if (parsed.GetValue(list) || steps.Count == 0)
    {
        Steps.Of("", 1, results).ForEach(step => Console.WriteLine(step.Name));
        return steps.Count == 0 ? 2 : 0;
    }

    var leftOut = await Steps.RunAsync(steps, parsed.GetValue(runs) ?? (parsed.GetValue(pods) ? 1 : 3), TimeSpan.FromMinutes(parsed.GetValue(minutes)), stopping);
    Console.WriteLine(results.ToMarkdown());
    if (leftOut.Count > 0)
    {
        Console.WriteLine($"Left out, for the time was over: {string.Join(", ", leftOut)}.");
    }

    return 0;
});
return await command.Parse(args).InvokeAsync();
