using System.CommandLine;
using Godwit.BenchLab;
using Godwit.DeploymentBench;

// Pods in labs of real nodes, as a user has them: how soon a deployment is ready, how soon it is again when a node dies, and what is left of pods that come and go.
// See bench/README.md.
var only = new Option<string[]>("--only") { Description = "Only these: deploy, lost, churn.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["deploy", "lost", "churn"] };
var runs = new Option<int>("--runs") { Description = "How often a deployment is made.", DefaultValueFactory = _ => 3 };
var pods = new Option<int>("--pods") { Description = "Pods of the deployment that is made.", DefaultValueFactory = _ => 50 };
var rounds = new Option<int>("--rounds") { Description = "How often pods and their service come and go.", DefaultValueFactory = _ => 10 };
var program = new Option<string>("--godwit") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var command = new RootCommand("Measures deployments of tiny pods in labs of two and three nodes.") { only, runs, pods, rounds, program };
command.SetAction(async (parsed, stopping) =>
{
    var images = Directory.CreateTempSubdirectory("godwit-bench-images-").FullName;
    try
    {
        BoxImage.WriteTo(images);
        var (godwit, chosen, isWhole) = (Path.GetFullPath(parsed.GetValue(program)!), parsed.GetValue(only)!, true);
        if (chosen.Contains("deploy") || chosen.Contains("churn"))
        {
            await using var lab = await GodwitLab.StartAsync(godwit, "depbench", images, link: null, stopping);
            if (chosen.Contains("deploy"))
            {
                await DeployRun.RunAsync(lab, parsed.GetValue(pods), parsed.GetValue(runs), stopping);
            }

            if (chosen.Contains("churn"))
            {
                isWhole &= await ChurnRun.RunAsync(lab, parsed.GetValue(rounds), stopping);
            }
        }

        if (chosen.Contains("lost"))
        {
            await using var lab = await GodwitLab.StartAsync(godwit, "lostbnch", images, link: null, nodes: 3, stopping);
            isWhole &= await LostNodeRun.RunAsync(lab, stopping);
        }

        return isWhole ? 0 : 1;
    }
    finally
    {
        Directory.Delete(images, recursive: true);
    }
});
return await command.Parse(args).InvokeAsync();
