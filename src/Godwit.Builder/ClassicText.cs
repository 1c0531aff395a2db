using System.Text;

namespace Godwit.Builder;

/// <summary>A build told in the words of docker's classic builder, which people and scripts read: <c>Step 1/3 : FROM busybox</c>, <c> ---> 5f2b…</c>.</summary>
public static class ClassicText
{
    /// <summary>The text of one event; empty where there is nothing to say.</summary>
    public static string Of(BuildEvent what) => what switch
    {
        BuildEvent.StepBegins begins => $"Step {begins.Number}/{begins.Count} : {begins.Text}\n",
        BuildEvent.StepCached => " ---> Using cache\n",
        BuildEvent.StepEnds ends => $" ---> {ends.Image.Short}\n",
        BuildEvent.StepPrints prints => Encoding.UTF8.GetString(prints.Bytes),
        BuildEvent.Warns warns => $"[Warning] {warns.Text}\n",
        BuildEvent.Built built => $"Successfully built {built.Image.Short}\n{string.Concat(built.Names.Select(name => $"Successfully tagged {name.WithDefaultTag()}\n"))}",
        _ => "",
    };
}
